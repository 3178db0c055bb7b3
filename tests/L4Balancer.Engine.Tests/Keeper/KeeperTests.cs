using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>A process is killed, and another one goes on with its sockets: their peers do not notice.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[NonParallelizable]
[SupportedOSPlatform("linux")]
internal sealed partial class KeeperTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly string _folder = Directory.CreateTempSubdirectory("l4-keeper-").FullName;
    private readonly List<IDisposable> _open = [];
    private readonly List<int> _fetched = [];

    private string SocketPath => Path.Combine(_folder, "keeper");

    public void Dispose()
    {
        _fetched.ForEach(TcpSocket.Close);
        _open.ForEach(o => o.Dispose());
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task Memory_of_the_process_is_not_kept()
    {
        Victim victim = await StartAsync();
        Assert.That(AnonymousMemoryOf(victim.Keeper), Is.LessThan(VictimBody.MemoryBefore / 1024 / 4));
    }

    [Test]
    public async Task Sockets_of_a_killed_process_live_on_with_what_they_have_queued()
    {
        const int many = 300;
        Victim victim = await StartAsync();
        var connections = new List<(Socket Client, int Descriptor, ulong Cookie)>();
        for (int i = 0; i < many; i++)
        {
            connections.Add(await victim.OpenAsync());
        }

        await connections[0].Client.SendAsync("before"u8.ToArray());
        await victim.KillAsync();
        Socket late = await victim.ConnectAsync();
        await connections[0].Client.SendAsync(" and after"u8.ToArray());

        KeeperConnection heir = Connect();
        Assert.That(heir.Keeper, Is.EqualTo(victim.Keeper));
        int[] here = Fetch(heir, [victim.Listening, .. connections.Select(c => c.Descriptor)]);
        Assert.That(heir.TryEnd());
        await Patience.Until(() => Victim.HasEnded(victim.Keeper), "the keeper has ended");
        for (int i = 0; i < many; i++)
        {
            Assert.That(KeeperConnection.IsSocket(here[i + 1], connections[i].Cookie), $"connection {i}");
        }

        Assert.That(Receive(here[1], 16), Is.EqualTo("before and after"));
        foreach ((Socket client, int index) in connections.Select((c, i) => (c.Client, i + 1)))
        {
            Send(here[index], "hello");
            Assert.That(ReceiveFrom(client), Is.EqualTo("hello"));
        }

        SysResult accepted = default;
        await Patience.Until(() => !(accepted = TcpSocket.Accept(here[0], out _)).IsError, "who connected while nobody lived is accepted");
        _fetched.Add(accepted.Value);
        Send(accepted.Value, "late");
        Assert.That(ReceiveFrom(late), Is.EqualTo("late"));
    }

    [Test]
    public async Task Bytes_in_a_pipe_live_on()
    {
        Victim victim = await StartAsync();
        int[] pipe = [.. (await victim.AskAsync("pipe")).Take(2).Select(int.Parse)];
        await victim.KillAsync();
        int[] here = Fetch(Connect(), pipe);

        Assert.That(KeeperConnection.IsPipe(here[0], SocketCookie.OfPipe(here[1])));
        Assert.That(KeeperConnection.IsPipe(here[0], 1), Is.False);
        Assert.That(ReadPipe(here[0]), Is.EqualTo("in the pipe"));
    }

    [Test]
    public async Task Number_that_was_used_again_is_recognized()
    {
        Victim victim = await StartAsync();
        (Socket client, int descriptor, ulong cookie) = await victim.OpenAsync();
        (Socket _, int other, ulong otherCookie) = await victim.OpenAsync();
        Assert.That(await victim.AskAsync($"reuse {descriptor}"), Is.EqualTo(["reused"]));
        Assert.That(client.Receive(new byte[1]), Is.Zero, "a close is a FIN at once, in spite of the keeper");
        await victim.KillAsync();
        int[] here = Fetch(Connect(), [descriptor, other]);

        Assert.That(KeeperConnection.IsSocket(here[0], cookie), Is.False);
        Assert.That(KeeperConnection.IsSocket(here[1], otherCookie));
    }

    [Test]
    public async Task Numbers_that_are_not_open_are_answered_and_cost_no_other()
    {
        Victim victim = await StartAsync();
        (Socket _, int descriptor, ulong cookie) = await victim.OpenAsync();
        await victim.KillAsync();
        KeeperConnection heir = Connect();
        var received = new int[600];
        int[] wanted = [.. Enumerable.Repeat(900_000, 599), descriptor];
        (wanted[3], wanted[400]) = (descriptor, -77);
        Assert.That(heir.Fetch(wanted, received), Is.Null);
        _fetched.AddRange(received.Where(d => d >= 0));

        Assert.That(received.Select((d, i) => (d, i)).Where(p => p.d >= 0).Select(p => p.i), Is.EqualTo([3, 599]));
        Assert.That(KeeperConnection.IsSocket(received[599], cookie));
    }

    [Test]
    public async Task Requests_that_cannot_be_are_refused_and_the_connection_lives([Values(1, 3, 1009, 1012, 4000)] int length)
    {
        Victim victim = await StartAsync();
        await victim.KillAsync();
        int raw = RawConnection();
        Assert.That(PacketSocket.Send(raw, new byte[length]).IsError, Is.False);
        Assert.That(Answer(raw), Is.EqualTo((8, (byte)Errno.EINVAL)));

        Assert.That(PacketSocket.Send(raw, BitConverter.GetBytes(victim.Listening)).IsError, Is.False);
        Assert.That(Answer(raw), Is.EqualTo((8, (byte)0)));
    }

    [Test]
    public async Task Newest_heir_is_served_where_the_one_before_hangs()
    {
        Victim victim = await StartAsync();
        (Socket _, int descriptor, ulong cookie) = await victim.OpenAsync();
        await victim.KillAsync();
        KeeperConnection hanging = Connect();
        KeeperConnection heir = Connect();

        Assert.That(KeeperConnection.IsSocket(Fetch(heir, [descriptor])[0], cookie));
        Assert.That(hanging.Fetch([descriptor], new int[1]), Does.Contain("EPIPE").Or.Contain("ECONNRESET"));
        heir.Dispose();
        Assert.That(KeeperConnection.IsSocket(Fetch(Connect(), [descriptor])[0], cookie), "and a third one, when both have failed");
    }

    [Test]
    public async Task Nobody_comes_and_the_keeper_ends_with_all_connections()
    {
        Victim victim = await StartAsync(timeoutMilliseconds: 300);
        (Socket client, _, _) = await victim.OpenAsync();
        await victim.KillAsync();

        Assert.That(client.Receive(new byte[1]), Is.Zero, "the kernel closes it");
        await Patience.Until(() => Victim.HasEnded(victim.Keeper), "the keeper has ended");
        Assert.That(KeeperConnection.TryConnect(SocketPath, Limit, out string? fault), Is.Null);
        Assert.That(fault, Is.EqualTo($"{SocketPath}: ECONNREFUSED"));
    }

    [Test]
    public async Task Stop_in_good_order_leaves_nothing()
    {
        Victim victim = await StartAsync();
        (Socket client, _, _) = await victim.OpenAsync();
        Assert.That(await victim.AskAsync("stop"), Is.EqualTo(["stopped"]));

        Assert.That(client.Receive(new byte[1]), Is.Zero);
        Assert.That(Victim.HasEnded(victim.Keeper));
        Assert.That(File.Exists(SocketPath), Is.False);
    }

    [Test]
    public async Task Keeper_that_is_killed_changes_nothing_for_the_living()
    {
        Victim victim = await StartAsync();
        (Socket first, _, _) = await victim.OpenAsync();
        Signal(victim.Keeper, 9);
        await Patience.Until(() => Victim.HasEnded(victim.Keeper), "the keeper has ended");
        await victim.OpenAsync();
        await victim.KillAsync();

        Assert.That(first.Receive(new byte[1]), Is.Zero, "nobody holds it any more");
    }

    [Test]
    public async Task Keeper_does_not_answer_while_its_process_lives_nor_while_it_is_stopped()
    {
        Victim victim = await StartAsync();
        (Socket _, int descriptor, ulong cookie) = await victim.OpenAsync();
        Assert.That(KeeperConnection.TryConnect(SocketPath, TimeSpan.FromMilliseconds(50), out string? fault), Is.Null);
        Assert.That(fault, Is.EqualTo($"{SocketPath}: no answer within 0.05 s"));
        Signal(victim.Keeper, 19);
        await victim.KillAsync();
        Assert.That(KeeperConnection.TryConnect(SocketPath, TimeSpan.FromMilliseconds(50), out _), Is.Null);

        Signal(victim.Keeper, 18);
        Assert.That(KeeperConnection.IsSocket(Fetch(Connect(), [descriptor])[0], cookie), "and again when it goes on");
    }

    [Test]
    public async Task Other_user_is_refused()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("Only root can become another user.");
        }

        Victim victim = await StartAsync();
        (Socket _, int descriptor, ulong cookie) = await victim.OpenAsync();
        await victim.KillAsync();

        // The directory alone would keep it out.
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_111_111);
        File.SetUnixFileMode(SocketPath, (UnixFileMode)0b110_110_110);
        string? fault = null;
        KeeperConnection? heir = null;
        AsNobody(() => heir = KeeperConnection.TryConnect(SocketPath, Limit, out fault));
        Assert.That(heir, Is.Null);
        Assert.That(fault, Does.EndWith("ECONNRESET").Or.EndWith("EPIPE"));

        Assert.That(KeeperConnection.IsSocket(Fetch(Connect(), [descriptor])[0], cookie), "its own user is served");
    }

    [Test]
    public async Task Socket_is_the_owner_s_and_output_is_not_held_open()
    {
        Victim victim = await StartAsync();
        Assert.That(File.GetUnixFileMode(SocketPath), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That((await File.ReadAllTextAsync($"/proc/{victim.Keeper}/comm")).Trim(), Is.EqualTo("l4b-keeper"));
        await victim.KillAsync();
        Connect();

        // The lowest free number is that of the heir's connection.
        Assert.That(Directory.GetFiles($"/proc/{victim.Keeper}/fd").Select(Path.GetFileName), Has.None.AnyOf("1", "2"));
    }

    private async Task<Victim> StartAsync(int timeoutMilliseconds = 60_000)
    {
        Victim victim = await Victim.StartAsync(SocketPath, timeoutMilliseconds);
        _open.Add(victim);
        return victim;
    }

    // In KiB, proc_pid_status(5); pages that are shared with another process count too.
    private static int AnonymousMemoryOf(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").Single(static l => l.StartsWith("RssAnon:", StringComparison.Ordinal));
        return int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }

    private KeeperConnection Connect()
    {
        KeeperConnection heir = KeeperConnection.TryConnect(SocketPath, Limit, out string? fault) ?? throw new InvalidOperationException(fault);
        _open.Add(heir);
        return heir;
    }

    private int[] Fetch(KeeperConnection heir, int[] numbers)
    {
        var received = new int[numbers.Length];
        Assert.That(heir.Fetch(numbers, received), Is.Null);
        _fetched.AddRange(received.Where(d => d >= 0));
        Assert.That(received, Has.None.EqualTo(-1));
        return received;
    }

    private int RawConnection()
    {
        int raw = PacketSocket.Open().Value;
        _fetched.Add(raw);
        Assert.That(PacketSocket.SetTimeouts(raw, Limit).IsError, Is.False);
        Assert.That(UnixSocket.Connect(raw, SocketPath).IsError, Is.False);
        return raw;
    }

    private (int Length, byte Status) Answer(int raw)
    {
        var packet = new byte[16];
        var descriptors = new int[PacketSocket.MostDescriptors];
        SysResult received = PacketSocket.Receive(raw, packet, descriptors, out int count);
        _fetched.AddRange(descriptors.Take(count));
        return (received.Value, packet[1]);
    }

    // Credentials belong to a thread: the C library changes those of all threads, the system call only its own (credentials(7)).
    private static void AsNobody(Action act)
    {
        const int nobody = 65534;
        nint setresuid = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 117 : 147;
        nint became = -1;
        var thread = new Thread(() =>
        {
            became = SystemCall(setresuid, nobody, nobody, nobody);
            act();
        });
        thread.Start();
        thread.Join();
        Assert.That((long)became, Is.Zero);
    }

    private static unsafe void Send(int socket, string text)
    {
        fixed (byte* bytes = Encoding.ASCII.GetBytes(text))
        {
            Assert.That(TcpSocket.Send(socket, bytes, text.Length).Value, Is.EqualTo(text.Length));
        }
    }

    private static unsafe string Receive(int socket, int length)
    {
        byte* bytes = stackalloc byte[64];
        SysResult received = default;
        for (int i = 0; i < 10_000 && (received = TcpSocket.Receive(socket, bytes, 64, Libc.MSG_PEEK)).Value < length; i++)
        {
            Thread.Yield();
        }

        return Encoding.ASCII.GetString(bytes, TcpSocket.Receive(socket, bytes, 64).Value);
    }

    private static unsafe string ReadPipe(int end)
    {
        byte* bytes = stackalloc byte[64];
        return Encoding.ASCII.GetString(bytes, (int)Libc.read(end, bytes, 64));
    }

    private static string ReceiveFrom(Socket client)
    {
        var bytes = new byte[64];
        return Encoding.ASCII.GetString(bytes, 0, client.Receive(bytes));
    }

    private static void Signal(int id, int signal) => Assert.That(Kill(id, signal), Is.Zero);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int id, int signal);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third);
}
