using System.Collections;

namespace OciRuntime.Spec;

/// <summary>A JSON object with free keys: pairs in the order of the file, found by key, last value of a repeated key wins.</summary>
/// <remarks>
/// Small ones are searched linearly, which is cheaper than warming up a dictionary in a process that lives for milliseconds;
/// beyond that an index keeps a hostile file from costing quadratic time.
/// </remarks>
public sealed class SpecMap<T> : IReadOnlyList<KeyValuePair<string, T>>
    where T : class
{
    private const int LinearLimit = 16;

    private KeyValuePair<string, T>[] _items = [];
    private Dictionary<string, int>? _index;

    /// <summary>A map without entries. Never written to.</summary>
    internal static SpecMap<T> Empty { get; } = new();

    /// <summary>Number of distinct keys.</summary>
    public int Count { get; private set; }

    /// <summary>The pair at a position of the file.</summary>
    public KeyValuePair<string, T> this[int index] => AsSpan()[index];

    /// <summary>The value of a key, null when there is none.</summary>
    public T? this[string key] => Find(key) is var at && at < 0 ? null : _items[at].Value;

    /// <summary>Whether the key is present.</summary>
    public bool ContainsKey(string key) => Find(key) >= 0;

    /// <summary>The pairs without copying.</summary>
    public ReadOnlySpan<KeyValuePair<string, T>> AsSpan() => _items.AsSpan(0, Count);

    /// <summary>Enumerates the pairs in order, for foreach, which takes it without an object and without an interface.</summary>
    public ReadOnlySpan<KeyValuePair<string, T>>.Enumerator GetEnumerator() => AsSpan().GetEnumerator();

    IEnumerator<KeyValuePair<string, T>> IEnumerable<KeyValuePair<string, T>>.GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return _items[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => ((IEnumerable<KeyValuePair<string, T>>)this).GetEnumerator();

    internal void Set(string key, T value)
    {
        int at = Find(key);
        if (at >= 0)
        {
            _items[at] = new(key, value);
            return;
        }
        if (Count == _items.Length) Array.Resize(ref _items, Math.Max(4, Count * 2));
        _items[Count] = new(key, value);
        _index?.Add(key, Count);
        Count++;
        if (Count > LinearLimit) _index ??= BuildIndex();
    }

    private int Find(string key)
    {
        if (_index is not null) return _index.TryGetValue(key, out int found) ? found : -1;
        for (int i = 0; i < Count; i++) if (string.Equals(_items[i].Key, key, StringComparison.Ordinal)) return i;
        return -1;
    }

    private Dictionary<string, int> BuildIndex()
    {
        Dictionary<string, int> index = new(Count * 2, StringComparer.Ordinal);
        for (int i = 0; i < Count; i++) index.Add(_items[i].Key, i);
        return index;
    }
}
