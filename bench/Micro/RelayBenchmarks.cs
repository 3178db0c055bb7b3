using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Bench.Micro;

/// <summary>
/// A megabyte from socket to socket over loopback, by the size in which it comes: as the epoll engine copies, as it splices, and as
/// the managed engine goes through a pipe of System.IO.Pipelines. The floor has no relay: sent, and discarded at once.
/// </summary>
[MemoryDiagnoser]
public class RelayBenchmarks : IDisposable
{
    private const int Total = 1024 * 1024;
    private const int PipeSize = 256 * 1024;

    private readonly Pipe _pipe = Engine.Managed.PipePool.Shared.Get();
    private LoopbackRelay _relay = null!;
    private Socket _source = null!;
    private Socket _sink = null!;
    private KernelPipe _kernelPipe;
    private byte[] _buffer = [];

    /// <summary>Bytes that one send brings.</summary>
    [Params(128, 4 * 1024, 64 * 1024, 256 * 1024)]
    public int Chunk { get; set; }

    [GlobalSetup]
    public void Connect()
    {
        _relay = new LoopbackRelay();
        _source = new Socket(new SafeSocketHandle(_relay.Source, ownsHandle: false));
        _sink = new Socket(new SafeSocketHandle(_relay.Sink, ownsHandle: false));
        _buffer = GC.AllocateUninitializedArray<byte>(BufferPool.Size, pinned: true);
        if (!KernelPipe.TryOpen(PipeSize, 64 * 1024, out _kernelPipe))
        {
            throw new InvalidOperationException("no pipe is to be had (pipe-user-pages-soft)");
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _sink.Dispose();
        _relay.Dispose();
        _kernelPipe.Close();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public int Without_a_relay()
    {
        int discarded = 0;
        for (int put = 0; discarded < Total; discarded += _relay.DiscardAtSource())
        {
            put += _relay.Put(Math.Min(Chunk, Total - put));
        }

        return discarded;
    }

    [Benchmark]
    public unsafe int Recv_and_send()
    {
        byte* buffer = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_buffer, 0);
        int discarded = 0;
        for (int put = 0; discarded < Total; discarded += _relay.Discard())
        {
            put += _relay.Put(Math.Min(Chunk, Total - put));
            SysResult received = TcpSocket.Receive(_relay.Source, buffer, BufferPool.Size);
            for (int sent = 0; !received.IsError && sent < received.Value;)
            {
                SysResult result = TcpSocket.Send(_relay.Sink, buffer + sent, received.Value - sent);
                sent += result.IsError ? 0 : result.Value;
                discarded += result.IsError ? _relay.Discard() : 0;
            }
        }

        return discarded;
    }

    [Benchmark]
    public int Splice()
    {
        int discarded = 0;
        for (int put = 0; discarded < Total; discarded += _relay.Discard())
        {
            put += _relay.Put(Math.Min(Chunk, Total - put));
            SysResult filled = _kernelPipe.FillFrom(_relay.Source);
            for (int drained = 0; !filled.IsError && drained < filled.Value;)
            {
                SysResult result = _kernelPipe.DrainTo(_relay.Sink, filled.Value - drained);
                drained += result.IsError ? 0 : result.Value;
                discarded += result.IsError ? _relay.Discard() : 0;
            }
        }

        return discarded;
    }

    [Benchmark]
    public int Pipelines() => ThroughPipelinesAsync().GetAwaiter().GetResult();

    // The steps of the managed engine's Direction, in turn. A receive is only begun when there is something to receive.
    private async Task<int> ThroughPipelinesAsync()
    {
        int relayed = 0;
        int discarded = 0;
        for (int put = 0; discarded < Total; discarded += _relay.Discard())
        {
            put += _relay.Put(Math.Min(Chunk, Total - put));
            if (relayed == put)
            {
                continue;
            }

            await IoResult.ReceiveAsync(_source, Memory<byte>.Empty, CancellationToken.None).ConfigureAwait(false);
            IoResult received = await IoResult.ReceiveAsync(_source, _pipe.Writer.GetMemory(), CancellationToken.None).ConfigureAwait(false);
            _pipe.Writer.Advance(received.Bytes);
            await _pipe.Writer.FlushAsync().ConfigureAwait(false);
            ReadResult read = await _pipe.Reader.ReadAsync().ConfigureAwait(false);
            foreach (ReadOnlyMemory<byte> segment in read.Buffer)
            {
                relayed += (await IoResult.SendAsync(_sink, segment).ConfigureAwait(false)).Bytes;
            }

            _pipe.Reader.AdvanceTo(read.Buffer.End);
        }

        return discarded;
    }
}
