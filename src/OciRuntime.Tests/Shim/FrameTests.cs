using System.Buffers.Binary;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Shim;

namespace OciRuntime.Tests.Shim;

/// <summary>What comes over the shim's socket, taken apart.</summary>
public sealed class FrameTests
{
    /// <summary>Frames as containerd's shim API has them, byte for byte.</summary>
    [Test]
    public void Connect_is_read_and_answered()
    {
        byte[] request = [.. Convert.FromHexString("0a17"), .. "containerd.task.v2.Task"u8, .. Convert.FromHexString("1207"),
            .. "Connect"u8, .. Convert.FromHexString("1a040a026331")];
        byte[] frame = [.. Convert.FromHexString("00000028000000010100"), .. request];
        FrameReader reader = Feed(frame, frame.Length);
        reader.Next(out uint stream, out byte type, out byte flags, out byte[]? message).Should().BeTrue();
        (stream, type, flags).Should().Be((1u, Frame.Request, (byte)0));
        List<byte[]> answers = [];
        Call call = new(stream, message, answers.Add);
        (call.Service, call.Method).Should().Be(("containerd.task.v2.Task", "Connect"));
        TaskRequest.Read(new TaskRequest(), call.Payload).Id.Should().Be("c1");
        call.Answer(new ProtobufWriter().Number(1, 4000L).Number(2, 4242L));
        call.Fail(new TaskError(RpcCode.NotFound, "only one answer is sent"));
        Convert.ToHexStringLower(answers.Single()).Should().Be("000000080000000102001206" + "08a01f109221");
    }

    [Test]
    public void An_error_has_code_and_message()
    {
        byte[] frame = Frame.Answer(3, new TaskError(RpcCode.NotFound, "container not created: not found"));
        Convert.ToHexStringLower(frame).Should()
            .Be("00000026" + "00000003" + "0200" + "0a24" + "0805" + "1220" + Hex("container not created: not found"));
    }

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(4096)]
    public void Frames_come_in_pieces(int piece)
    {
        byte[] first = Frame.Encode(1, Frame.Request, new byte[3000]), second = Frame.Encode(3, Frame.Response, "x"u8);
        FrameReader reader = new();
        List<(uint, int)> found = [];
        foreach (byte[] part in ((byte[])[.. first, .. second]).Chunk(piece))
        {
            Add(reader, part);
            while (reader.Next(out uint stream, out _, out _, out byte[]? message)) found.Add((stream, message!.Length));
        }
        found.Should().Equal((1, 3000), (3, 1));
    }

    [Test]
    public void A_message_that_is_too_long_is_passed_over()
    {
        byte[] header = new byte[Frame.HeaderSize];
        BinaryPrimitives.WriteUInt32BigEndian(header, Frame.MaxMessage + 1);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), 1);
        header[8] = Frame.Request;
        FrameReader reader = new();
        Add(reader, header);
        reader.Next(out uint stream, out _, out _, out byte[]? message).Should().BeTrue();
        (stream, message).Should().Be((1u, null));
        int most = 0;
        for (int left = Frame.MaxMessage + 1; left > 0;)
        {
            reader.Next(out _, out _, out _, out _).Should().BeFalse();
            int count = Math.Min(left, reader.Room.Length);
            most = Math.Max(most, reader.Room.Length);
            reader.Add(count);
            left -= count;
        }
        most.Should().BeLessThan(64 << 10, "what is passed over is not kept");
        Add(reader, Frame.Encode(3, Frame.Request, "next"u8));
        reader.Next(out stream, out _, out _, out message).Should().BeTrue();
        (stream, Encoding.UTF8.GetString(message!)).Should().Be((3u, "next"));
    }

    /// <summary>A length costs nothing before what it announces has come.</summary>
    [Test]
    public void What_is_announced_takes_no_room()
    {
        FrameReader reader = new();
        Add(reader, [0, 0x3f, 0xff, 0xff, 0, 0, 0, 1, 1, 0]);
        reader.Next(out _, out _, out _, out _).Should().BeFalse();
        reader.Room.Length.Should().BeLessThan(4096);
    }

    /// <summary>Whatever comes, no other exception than the one that is expected, and no more memory than has come.</summary>
    [Test]
    public void Garbage_is_refused_and_nothing_else_happens()
    {
        Random random = new(15);
        byte[][] seeds = [Request("Create", Create()), Request("Exec", Create()), Frame.Encode(1, Frame.Response, Create())];
        int served = 0, refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = (byte[])seeds[round % seeds.Length].Clone();
            // The length of most stays, or nothing but headers would be tried.
            for (int i = random.Next(1, 8); i > 0; i--) bytes[random.Next(round % 4 == 0 ? 0 : 4, bytes.Length)] = (byte)random.Next(256);
            FrameReader reader = Feed(bytes, random.Next(1, 64));
            long before = GC.GetAllocatedBytesForCurrentThread();
            while (reader.Next(out uint stream, out _, out _, out byte[]? message))
            {
                try
                {
                    Call call = new(stream, message, static _ => { });
                    TaskRequest.Read(new CreateRequest(), call.Payload);
                    TaskRequest.Read(new ExecRequest(), call.Payload);
                    TaskRequest.Read(new KillRequest(), call.Payload);
                    served++;
                }
                catch (FormatException)
                {
                    refused++;
                }
            }
            (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(256 << 10);
        }
        served.Should().BePositive();
        refused.Should().BePositive();
    }

    private static byte[] Request(string method, byte[] payload) => Frame.Encode(1, Frame.Request,
        new ProtobufWriter().Text(1, "containerd.task.v2.Task").Text(2, method).Bytes(3, payload).Number(4, 1000L).Written);

    private static byte[] Create() => new ProtobufWriter().Text(1, "id").Text(2, "/bundle")
        .Message(3, new ProtobufWriter().Text(1, "overlay").Text(2, "overlay").Text(4, "lowerdir=/a:/b").Text(4, "ro"))
        .Number(4, 1L).Text(5, "/stdin").Text(6, "/stdout").Message(10, AnyMessage.Write("containerd.runc.v1.Options", "x"u8))
        .Written.ToArray();

    private static FrameReader Feed(byte[] bytes, int piece)
    {
        FrameReader reader = new();
        foreach (byte[] part in bytes.Chunk(piece)) Add(reader, part);
        return reader;
    }

    private static void Add(FrameReader reader, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = Math.Min(bytes.Length, reader.Room.Length);
            bytes[..count].CopyTo(reader.Room);
            reader.Add(count);
            bytes = bytes[count..];
        }
    }

    private static string Hex(string text) => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));
}
