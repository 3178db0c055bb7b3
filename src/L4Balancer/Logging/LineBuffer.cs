using System.Buffers;
using System.Globalization;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Logging;

/// <summary>
/// Lines of a log as UTF-8 in one array, which grows to the longest content and is reused. Appending allocates nothing once it has grown.
/// One thread at a time.
/// </summary>
internal sealed class LineBuffer(int capacity) : IBufferWriter<byte>
{
    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Removes what was written after this length, or everything.</summary>
    public void Clear(int length = 0) => Length = length;

    /// <summary>Removes everything, and the array too if it has grown beyond this size.</summary>
    public void ClearAndTrim(int most)
    {
        Length = 0;
        if (_bytes.Length > most)
        {
            _bytes = new byte[capacity];
        }
    }

    public void Append(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(GetSpan(utf8.Length));
        Length += utf8.Length;
    }

    public void Append(byte character)
    {
        GetSpan(1)[0] = character;
        Length++;
    }

    /// <summary>Lone surrogates become U+FFFD.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        // A character of UTF-16 has at most three bytes in UTF-8.
        Span<byte> destination = GetSpan(3 * text.Length);
        Length += Encoding.UTF8.GetBytes(text, destination);
    }

    public void Append(long number)
    {
        number.TryFormat(GetSpan(20), out int written, provider: CultureInfo.InvariantCulture);
        Length += written;
    }

    public void Append(ulong number)
    {
        number.TryFormat(GetSpan(20), out int written, provider: CultureInfo.InvariantCulture);
        Length += written;
    }

    public void Append(Endpoint endpoint) => Length += endpoint.Format(GetSpan(Endpoint.LongestText));

    public void Advance(int count) => Length += count;

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Grow(sizeHint);
        return _bytes.AsSpan(Length);
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Grow(sizeHint);
        return _bytes.AsMemory(Length);
    }

    private void Grow(int more)
    {
        int needed = checked(Length + Math.Max(more, 1));
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(needed, 2 * _bytes.Length));
        }
    }
}
