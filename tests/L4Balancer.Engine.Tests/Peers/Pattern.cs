using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>A reproducible stream of bytes in chunks of random size, with the digest of what was taken from it.</summary>
internal sealed class Pattern : IDisposable
{
    private readonly byte[] _block = new byte[64 * 1024];
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Random _sizes;
    private ulong _state;
    private int _used;

    public Pattern(int seed)
    {
        _sizes = new Random(seed);
        _state = ((ulong)seed * 0x9E37_79B9_7F4A_7C15) | 1;
        _used = _block.Length;
    }

    public long Taken { get; private set; }

    public string Digest => Convert.ToHexString(_hash.GetCurrentHash());

    /// <summary>The digest of the first <paramref name="length"/> bytes.</summary>
    public static string DigestOf(int seed, long length)
    {
        using var pattern = new Pattern(seed);
        while (pattern.Taken < length)
        {
            pattern.Next(length - pattern.Taken);
        }

        return pattern.Digest;
    }

    /// <summary>The next chunk: mostly large, often small, sometimes one byte. Valid until the next call.</summary>
    public ReadOnlyMemory<byte> Next(long limit)
    {
        if (_used == _block.Length)
        {
            Fill();
        }

        int most = (int)Math.Min(limit, _block.Length - _used);
        int size = _sizes.Next(4) switch { 0 => 1 + _sizes.Next(16), 1 => 1 + _sizes.Next(4096), _ => 1 + _sizes.Next(64 * 1024) };
        ReadOnlyMemory<byte> chunk = _block.AsMemory(_used, Math.Min(size, most));
        _used += chunk.Length;
        Taken += chunk.Length;
        _hash.AppendData(chunk.Span);
        return chunk;
    }

    public void Dispose() => _hash.Dispose();

    private void Fill()
    {
        // xorshift64 (Marsaglia, 2003): fast enough not to be what a test measures, and without a short period.
        ulong state = _state;
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(_block.AsSpan()))
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word = state;
        }

        _state = state;
        _used = 0;
    }
}
