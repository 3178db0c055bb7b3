using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>
/// What clients cost that do not send their first bytes: user memory only, what the kernel keeps for a socket is not part of it.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed partial class WaitingMemoryTests() : EpollFixture(workers: 1)
{
    private const int Most = 6000;
    private const int Waves = 3;

    /// <summary>In bytes for each client.</summary>
    private const int Bound = 400;

    /// <summary>Of the test, the runner and the engine itself.</summary>
    private const int OtherDescriptors = 1000;

    private readonly List<int> _clients = new(Most + 500);

    [TearDown]
    public void Close_the_clients() => _clients.ForEach(TcpSocket.Close);

    [Test]
    public async Task A_client_that_waits_costs_at_most_400_bytes()
    {
        ResourceLimits.RaiseDescriptorLimit(out long descriptors);
        int count = (int)Math.Min(Most, (descriptors - OtherDescriptors) / 2);
        if (count < Most / 10)
        {
            Assert.Ignore($"{descriptors} descriptors are too few.");
        }

        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend),
            Settings.Listener("127.0.0.1:0") with { Inspect = InspectKind.Http, InspectTimeout = TimeSpan.FromMinutes(5) });
        await ArriveAsync(rig, 500);
        List<double> waves = [];
        for (int i = 0; i < Waves; i++)
        {
            waves.Add(await CostOfAsync(rig, count / Waves));
        }

        // The compiler and what else runs in this process take native memory meanwhile, which is no cost of these clients.
        Assert.That(waves.Min(), Is.InRange(Unsafe.SizeOf<Slot>(), Bound));
        Assert.That(WorkersOf(rig)[0].Buffers.InUse, Is.Zero);
    }

    private async Task<double> CostOfAsync(Rig rig, int count)
    {
        (long managed, long native) = InUse();
        await ArriveAsync(rig, count);
        (long managedAfter, long nativeAfter) = InUse();

        // Other tests free native memory meanwhile, which is no gain of these clients.
        double each = (managedAfter - managed + Math.Max(0, nativeAfter - native)) / (double)count;
        TestContext.Out.WriteLine(
            $"{each:F0} bytes for each of {count} clients: {(managedAfter - managed) / count} managed, "
            + $"{(nativeAfter - native) / count} native; a slot has {Unsafe.SizeOf<Slot>()}, a set-up {Unsafe.SizeOf<ConnectionSetup>()}, "
            + $"the state of a relay {Unsafe.SizeOf<RelayState>()}");
        return each;
    }

    // Descriptors only: a socket of the framework would cost more than what is measured.
    private async Task ArriveAsync(Rig rig, int count)
    {
        int before = _clients.Count;
        while (_clients.Count < before + count)
        {
            int batch = Math.Min(500, before + count - _clients.Count);
            for (int i = 0; i < batch; i++)
            {
                int socket = TcpSocket.Open(rig.Address).Value;
                _clients.Add(socket);
                SysResult connecting = TcpSocket.Connect(socket, rig.Address);
                Assert.That(connecting.Errno, Is.AnyOf(Errno.None, Errno.EINPROGRESS));
            }

            await Patience.Until(() => rig.Listener.Pending == _clients.Count, "all are accepted");
            SendOne(_clients.Count - batch, batch);
        }

        // Between two turns: every byte has been looked at.
        await Patience.Elapse(TimeSpan.FromMilliseconds(100));
        await AskAsync(rig, static _ => true);
    }

    private unsafe void SendOne(int from, int count)
    {
        byte letter = (byte)'G';
        for (int i = from; i < from + count; i++)
        {
            Assert.That(TcpSocket.Send(_clients[i], &letter, 1).Value, Is.EqualTo(1));
        }
    }

    // Managed: what is reachable. Native: what malloc has given out (mallinfo(3)).
    private static (long Managed, long Native) InUse()
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        MallocInfo native = mallinfo2();
        return (managed, (long)(native.InUse + native.Mapped));
    }

    // glibc 2.33
    [LibraryImport("libc")]
    private static partial MallocInfo mallinfo2();

    [StructLayout(LayoutKind.Sequential)]
    private struct MallocInfo
    {
        public nuint Arena;
        public nuint FreeChunks;
        public nuint FastChunks;
        public nuint MappedRegions;
        public nuint Mapped;
        public nuint Unused;
        public nuint FastFree;
        public nuint InUse;
        public nuint Free;
        public nuint Releasable;
    }
}
