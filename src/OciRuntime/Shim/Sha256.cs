using System.Buffers.Binary;
using System.Numerics;

namespace OciRuntime.Shim;

/// <summary>
/// SHA-256 (FIPS 180-4), for the names of sockets. The framework's is OpenSSL's, which a static program cannot load.
/// </summary>
internal static class Sha256
{
    /// <summary>Of the first primes: the first bits behind the point of their square roots, and of their cube roots.</summary>
    private static readonly uint[] s_start = Fractions(8, Math.Sqrt), s_round = Fractions(64, Math.Cbrt);

    public static byte[] Of(ReadOnlySpan<byte> message)
    {
        Span<byte> padded = new byte[(message.Length + 9 + 63) / 64 * 64];
        message.CopyTo(padded);
        padded[message.Length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded[^8..], (ulong)message.Length * 8);
        Span<uint> hash = [.. s_start];
        for (; !padded.IsEmpty; padded = padded[64..]) Add(hash, padded[..64]);
        byte[] result = new byte[32];
        for (int i = 0; i < 8; i++) BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(4 * i), hash[i]);
        return result;
    }

    private static void Add(Span<uint> hash, ReadOnlySpan<byte> block)
    {
        Span<uint> w = stackalloc uint[64];
        for (int i = 0; i < 16; i++) w[i] = BinaryPrimitives.ReadUInt32BigEndian(block[(4 * i)..]);
        for (int i = 16; i < 64; i++) w[i] = w[i - 16] + Small(w[i - 15], 7, 18, 3) + w[i - 7] + Small(w[i - 2], 17, 19, 10);
        Span<uint> s = stackalloc uint[8];
        hash.CopyTo(s);
        for (int i = 0; i < 64; i++)
        {
            uint one = s[7] + Big(s[4], 6, 11, 25) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + s_round[i] + w[i];
            uint two = Big(s[0], 2, 13, 22) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            s[..7].CopyTo(s[1..]);
            s[4] += one;
            s[0] = one + two;
        }
        for (int i = 0; i < 8; i++) hash[i] += s[i];
    }

    private static uint Small(uint x, int a, int b, int shift) =>
        BitOperations.RotateRight(x, a) ^ BitOperations.RotateRight(x, b) ^ x >> shift;

    private static uint Big(uint x, int a, int b, int c) =>
        BitOperations.RotateRight(x, a) ^ BitOperations.RotateRight(x, b) ^ BitOperations.RotateRight(x, c);

    private static uint[] Fractions(int count, Func<double, double> root)
    {
        uint[] bits = new uint[count];
        int found = 0;
        for (int n = 2; found < count; n++)
        {
            bool isPrime = true;
            for (int d = 2; d * d <= n && isPrime; d++) isPrime = n % d != 0;
            if (isPrime) bits[found++] = (uint)((root(n) - Math.Floor(root(n))) * (1L << 32));
        }
        return bits;
    }
}
