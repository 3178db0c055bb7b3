using System.Buffers;

namespace L4Balancer.Engine.Managed;

/// <summary>The bytes of a sequence in one span; they are copied only if they lie in several segments.</summary>
internal readonly ref struct JoinedBytes
{
    private readonly byte[]? _rented;

    public JoinedBytes(ReadOnlySequence<byte> bytes)
    {
        if (bytes.IsSingleSegment)
        {
            Span = bytes.FirstSpan;
            return;
        }

        int count = (int)bytes.Length;
        _rented = ArrayPool<byte>.Shared.Rent(count);
        bytes.CopyTo(_rented);
        Span = _rented.AsSpan(0, count);
    }

    /// <summary>Valid until <see cref="Dispose"/>, and as long as the sequence is.</summary>
    public ReadOnlySpan<byte> Span { get; }

    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
        }
    }
}
