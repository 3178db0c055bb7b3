using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using L4Balancer.Admin.Client;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.Admin;

/// <summary>Commands against something that only looks like a daemon.</summary>
internal sealed class HostileDaemonTests
{
    private static readonly byte[] Megabyte = new byte[1 << 20];

    /// <summary>What was sent and not yet read: at most both buffers of a connection, which the kernel lets grow up to these sizes (tcp(7)).</summary>
    private static long MostInKernel => LargestBuffer("tcp_wmem") + LargestBuffer("tcp_rmem");

    [Test]
    [NonParallelizable]
    public async Task An_answer_without_end_is_cut_off_at_64_MiB()
    {
        long before = Environment.WorkingSet;
        (int code, string output, string errors, long sent) = await AskAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[", endless: true, "status");
        Assert.That(code, Is.EqualTo(3));
        Assert.That(output, Is.Empty);
        Assert.That(errors, Does.Match(@"^l4balancer: status: the answer of 127\.0\.0\.1:\d+ is larger than 64 MiB: [^\n]+\n$"));
        Assert.That(sent, Is.InRange(60L << 20, (66L << 20) + MostInKernel));
        Assert.That(Environment.WorkingSet - before, Is.LessThan(400L << 20));
    }

    [Test]
    public async Task What_would_disguise_the_output_is_masked()
    {
        const string Body = """{"type":"about:blank","title":"x","status":409,"detail":"pool \u202etxt.exe \u001b[31m\u2066 end"}""";
        string raw = Body.Replace("\\u202e", "\u202E", StringComparison.Ordinal);
        (int code, _, string errors, _) = await AskAsync(
            $"HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: {Encoding.UTF8.GetByteCount(raw)}\r\n\r\n{raw}",
            endless: false, "status");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(errors, Is.EqualTo("l4balancer: status: pool ?txt.exe ?[31m? end\n"));
    }

    [Test]
    public async Task Json_is_printed_with_such_characters_escaped()
    {
        const string Body = "{\"backends\":[],\"note\":\"\u202Egpj\"}";
        (int code, string output, string errors, _) = await AskAsync(
            $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(Body)}\r\n\r\n{Body}",
            endless: false, "backends", "--json");
        Assert.That(code, Is.Zero, errors);
        Assert.That(output, Does.Contain(@"""note"":""\u202Egpj""").IgnoreCase.And.Not.Contain("\u202E"));
    }

    [Test]
    public async Task Top_ends_while_a_change_waits_for_its_answer()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new AdminClient(AdminAddress.TryParse(listener.LocalEndpoint.ToString()!)!, null, DaemonProcess.Deadline);
        using var end = new CancellationTokenSource();
        Task<string> change = TopCommand.ChangeAsync(client, new TopRequest(HttpMethod.Post, "/v1/backends/chat/ws1/drain", "done"), end.Token);
        using TcpClient asked = await listener.AcceptTcpClientAsync();
        await end.CancelAsync();

        Assert.That(await change.WaitAsync(DaemonProcess.Deadline), Is.Empty);
    }

    private static long LargestBuffer(string setting)
    {
        string path = $"/proc/sys/net/ipv4/{setting}";
        return File.Exists(path) ? long.Parse(File.ReadAllText(path).Split('\t')[^1], CultureInfo.InvariantCulture) : 12L << 20;
    }

    private static async Task<(int Code, string Output, string Errors, long Sent)> AskAsync(string answer, bool endless, params string[] command)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<long> serving = ServeAsync(listener, answer, endless);
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. command, "--admin", listener.LocalEndpoint.ToString()!], output, errors);
        return (code, output.ToString(), errors.ToString(), await serving.WaitAsync(DaemonProcess.Deadline));
    }

    private static async Task<long> ServeAsync(TcpListener listener, string answer, bool endless)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        NetworkStream stream = client.GetStream();
        _ = await stream.ReadAsync(new byte[16 * 1024]);
        long sent = 0;
        try
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(answer));
            for (; endless; sent += Megabyte.Length)
            {
                await stream.WriteAsync(Megabyte);
            }
        }
        catch (IOException)
        {
            // The command has closed its side.
        }

        return sent;
    }
}
