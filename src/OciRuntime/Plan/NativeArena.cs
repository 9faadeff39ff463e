using System.Runtime.InteropServices;
using System.Text;

namespace OciRuntime.Plan;

/// <summary>
/// Unmanaged memory for a plan. It is never freed: the parent ends in milliseconds and the child replaces itself, and memory that cannot
/// move is exactly what the child needs.
/// </summary>
internal sealed unsafe class NativeArena
{
    private const int BlockSize = 64 * 1024;
    private byte* _next;
    private int _left;

    /// <summary>Zeroed room, aligned to 8 bytes.</summary>
    public void* Allocate(int size)
    {
        size = (size + 7) & ~7;
        if (size > _left)
        {
            int block = Math.Max(size, BlockSize);
            _next = (byte*)NativeMemory.AllocZeroed((nuint)block);
            _left = block;
        }
        void* room = _next;
        _next += size;
        _left -= size;
        return room;
    }

    /// <summary>Room for an array.</summary>
    public T* Array<T>(int count)
        where T : unmanaged => (T*)Allocate(Math.Max(count, 1) * sizeof(T));

    /// <summary>The text as NUL-terminated UTF-8; null stays null.</summary>
    public byte* Text(string? text)
    {
        if (text == null) return null;
        int length = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (length > 256) length = Encoding.UTF8.GetByteCount(text);
        byte* bytes = (byte*)Allocate(length + 1);
        fixed (char* chars = text) bytes[Encoding.UTF8.GetBytes(chars, text.Length, bytes, length)] = 0;
        return bytes;
    }

    /// <summary>A NULL-terminated array of texts that are in unmanaged memory already.</summary>
    public byte** Texts(List<nint> texts)
    {
        byte** array = (byte**)Allocate((texts.Count + 1) * sizeof(byte*));
        for (int i = 0; i < texts.Count; i++) array[i] = (byte*)texts[i];
        return array;
    }

    /// <summary>A NULL-terminated array of texts, as execve(2) takes it.</summary>
    public byte** Texts(IReadOnlyList<string> texts, int extra = 0)
    {
        byte** array = (byte**)Allocate((texts.Count + extra + 1) * sizeof(byte*));
        for (int i = 0; i < texts.Count; i++) array[i] = Text(texts[i]);
        return array;
    }
}
