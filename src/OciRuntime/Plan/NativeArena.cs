using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>
/// Unmanaged memory for a plan: what cannot move is exactly what the child needs. A command never frees it, as it ends in milliseconds; the
/// shim does.
/// </summary>
internal sealed unsafe class NativeArena
{
    // A usual plan takes one or two. What is zeroed here is a page fault for each page, and one to be copied when the child is cloned.
    private const int BlockSize = 8 * 1024;
    private byte* _next;
    private int _left;
    private Block* _last;

    /// <summary>What each block begins with.</summary>
    private struct Block
    {
        public Block* Before;
        public int Size;
    }

    /// <summary>Zeroed room, aligned to 8 bytes.</summary>
    private void* Allocate(int size)
    {
        size = (size + 7) & ~7;
        if (size > _left)
        {
            int length = Math.Max(size + sizeof(Block), BlockSize);
            // Not the C library's, which clears by writing: each page would be a fault, and one more in the child.
            Block* block = (Block*)Processes.MapMemory(length, isShared: false);
            *block = new() { Before = _last, Size = length };
            _last = block;
            _next = (byte*)(block + 1);
            _left = length - sizeof(Block);
        }
        void* room = _next;
        _next += size;
        _left -= size;
        return room;
    }

    /// <summary>Gives all of it back: nobody may look at it any more.</summary>
    public void Free()
    {
        while (_last is not null)
        {
            Block* block = _last;
            _last = block->Before;
            // It cannot fail for what was mapped.
            Processes.UnmapMemory((byte*)block, block->Size);
        }
        _left = 0;
    }

    /// <summary>Room for an array.</summary>
    public T* Array<T>(int count)
        where T : unmanaged => (T*)Allocate(Math.Max(count, 1) * sizeof(T));

    public NativeArray<T> Copy<T>(ReadOnlySpan<T> items)
        where T : unmanaged
    {
        T* copy = Array<T>(items.Length);
        items.CopyTo(new Span<T>(copy, items.Length));
        return new(copy, items.Length);
    }

    /// <summary>The text as NUL-terminated UTF-8; null stays null.</summary>
    /// <exception cref="InvalidOperationException">There is a NUL in it, which the reader of the configuration lets through only where it
    /// says so: the kernel would get less than was checked.</exception>
    public byte* Text(string? text)
    {
        if (text is null) return null;
        if (text.Contains('\0')) throw new InvalidOperationException($"a NUL in {VisibleText.Line(text)}");
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
    public byte** Texts(ReadOnlySpan<string> texts, int extra = 0)
    {
        byte** array = (byte**)Allocate((texts.Length + extra + 1) * sizeof(byte*));
        for (int i = 0; i < texts.Length; i++) array[i] = Text(texts[i]);
        return array;
    }
}
