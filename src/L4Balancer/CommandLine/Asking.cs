using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;
using L4Balancer.Platform;

namespace L4Balancer.CommandLine;

/// <summary>What every command does that asks a running daemon: find it, ask, and tell what went wrong in one line.</summary>
internal sealed class Asking(Screen screen)
{
    private const int LongestToken = 4096;

    public Screen Screen => screen;

    public Option<string?> Admin { get; } = new("--admin")
    {
        Description = "The daemon to ask: the path of its local socket, or HOST:PORT; else the local daemon",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    public Option<FileInfo?> TokenFile { get; } = new("--token-file")
    {
        Description = "A file with the token that the daemon wants over TCP",
        HelpName = "FILE",
        Recursive = true,
    };

    public static Option<bool> Json() => new("--json") { Description = "Prints the API's JSON" };

    /// <summary>Runs a command's question, and turns its faults into lines and an exit code.</summary>
    public async Task<int> RunAsync(ParseResult parsed, Func<AdminClient, Task<int>> ask)
    {
        string command = parsed.CommandResult.Command.Name;
        AdminAddress? address = AddressIn(parsed);
        if (address is null)
        {
            return Fail(ExitCode.BadUsage, $"--admin {parsed.GetValue(Admin)}: write the path of a socket, or HOST:PORT");
        }

        string? token = null;
        if (parsed.GetValue(TokenFile) is FileInfo file && !TryReadToken(file, out token, out string fault))
        {
            return Fail(ExitCode.BadUsage, $"--token-file {file}: {fault}");
        }

        try
        {
            using var client = new AdminClient(address, token);
            return await ask(client);
        }
        catch (NoDaemonException e)
        {
            return Fail(ExitCode.NoDaemon, $"{command}: {e.Message}");
        }
    }

    /// <returns>The daemon that is meant; null where what was given is no address.</returns>
    public AdminAddress? AddressIn(ParseResult parsed) => parsed.GetValue(Admin) is string given
        ? AdminAddress.TryParse(given)
        : AdminAddress.OfSocket(LocalSocket.ForClient(Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable));

    /// <summary>Asks for one answer and shows it.</summary>
    /// <param name="type">What the answer should be.</param>
    /// <param name="show">Returns the exit code.</param>
    public Task<int> ShowAsync<T>(ParseResult parsed, Option<bool> json, string path, JsonTypeInfo<T> type, Func<T, int> show)
        where T : class => RunAsync(parsed, async client =>
        {
            string command = parsed.CommandResult.Command.Name;
            AdminReply reply = await screen.WaitAsync(client.SendAsync(HttpMethod.Get, path), "asking the daemon");
            if (Fault(command, reply) is int code)
            {
                return code;
            }

            if (reply.TryRead(type) is not T answer)
            {
                return Foreign(command);
            }

            if (parsed.GetValue(json))
            {
                screen.Output.WriteLine(reply.Text);
                return ExitCode.Fine;
            }

            return show(answer);
        });

    /// <returns>The exit code, where the daemon did not do it; it is told already.</returns>
    public int? Fault(string command, AdminReply reply)
    {
        if (reply.IsSuccess)
        {
            return null;
        }

        if (reply.Problems is not IReadOnlyList<string> lines)
        {
            return Foreign(command);
        }

        foreach (string line in lines)
        {
            Fail(ExitCode.Failed, $"{command}: {line}");
        }

        return reply.Status == 400 ? ExitCode.BadUsage : ExitCode.Failed;
    }

    public int Foreign(string command) =>
        Fail(ExitCode.NoDaemon, $"{command}: what answers there is no l4balancer of this version; name another with --admin");

    public int Fail(int code, string line)
    {
        screen.Errors.WriteLine($"l4balancer: {string.Concat(line.Select(c => char.IsControl(c) ? '?' : c))}");
        return code;
    }

    private static bool TryReadToken(FileInfo file, out string? token, out string fault)
    {
        token = null;
        fault = "it must hold the token, one word";
        try
        {
            if (file.Length <= LongestToken)
            {
                token = File.ReadAllText(file.FullName).Trim();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = $"it cannot be read: {e.Message.TrimEnd('.')}";
        }

        return token is { Length: > 0 } && token.All(c => c is > ' ' and <= '~');
    }
}
