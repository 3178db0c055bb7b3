using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Admin.Client;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;
using L4Balancer.Logging;
using L4Balancer.Platform;

namespace L4Balancer.CommandLine;

/// <summary>Shared by all commands that use a running daemon: find it, send the request, and report errors, one line each.</summary>
internal sealed class AdminSession(Screen screen)
{
    private const int LongestToken = 4096;

    public Screen Screen => screen;

    public Option<string?> Admin { get; } = new("--admin")
    {
        Description = "The daemon's address: the path of its local socket, or HOST:PORT; default: the local daemon",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    public Option<FileInfo?> TokenFile { get; } = new("--token-file")
    {
        Description = "A file with the token that the daemon requires over TCP",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>How long a command waits for the daemon: to connect, for the head of an answer, and for each further part of it.</summary>
    public Option<TimeSpan?> Timeout { get; } = new("--timeout")
    {
        Description = "How long to wait for the daemon, as in 5s or 1m; then the exit code is 3. Default: 5s",
        HelpName = "DURATION",
        Recursive = true,
        CustomParser = ParseTimeout,
    };

    public static Option<bool> Json() => new("--json") { Description = "Prints the JSON of the API" };

    /// <summary>Runs the request of a command and converts errors into messages and an exit code.</summary>
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
            using var client = new AdminClient(address, token, parsed.GetValue(Timeout) ?? AdminClient.DefaultTimeout);
            return await ask(client);
        }
        catch (NoDaemonException e)
        {
            return Fail(ExitCode.NoDaemon, $"{command}: {e.Message}");
        }
    }

    /// <returns>The address of the daemon; null if the option is not an address.</returns>
    public AdminAddress? AddressIn(ParseResult parsed) => parsed.GetValue(Admin) is string given
        ? AdminAddress.TryParse(given)
        : AdminAddress.OfSocket(LocalSocket.ForClient(Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable));

    /// <summary>Requests one answer and shows it.</summary>
    /// <param name="type">The expected type of the answer.</param>
    /// <param name="show">Shows the answer and returns the exit code.</param>
    public Task<int> ShowAsync<T>(ParseResult parsed, Option<bool> json, string path, JsonTypeInfo<T> type, Func<T, int> show)
        where T : class => RunAsync(parsed, client => ShowAsync(client, parsed.CommandResult.Command.Name, parsed.GetValue(json), path, type, show));

    /// <summary>As the other, with a client that is there.</summary>
    public async Task<int> ShowAsync<T>(AdminClient client, string command, bool json, string path, JsonTypeInfo<T> type, Func<T, int> show)
        where T : class
    {
        AdminReply reply = await screen.WaitAsync(client.SendAsync(HttpMethod.Get, path), "asking the daemon");
        if (Fault(command, reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(type) is not T answer)
        {
            return Foreign(command);
        }

        if (json)
        {
            screen.Output.WriteLine(reply.Text);
            return ExitCode.Fine;
        }

        return show(answer);
    }

    /// <summary>Prints what a change has done that may not have been intended, and how to undo it.</summary>
    public void Warn(string command, string? warning)
    {
        if (warning is not null)
        {
            Fail(ExitCode.Fine, $"{command}: warning: {warning}");
        }
    }

    /// <returns>The exit code if the request failed, after the error was printed; null if it succeeded.</returns>
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

        foreach (string line in lines.Select(ForCommands))
        {
            Fail(ExitCode.Failed, $"{command}: {line}");
        }

        return reply.Status == 400 ? ExitCode.BadUsage : ExitCode.Failed;
    }

    // The API speaks of header fields; the option is what a command has.
    private static string ForCommands(string line) =>
        line.Replace("Authorization: Bearer TOKEN", "--token-file FILE", StringComparison.Ordinal);

    public int Foreign(string command) =>
        Fail(ExitCode.NoDaemon, $"{command}: the server at this address is not an l4balancer of this version; use another address with --admin");

    public int Fail(int code, string line)
    {
        screen.Errors.WriteLine($"l4balancer: {LogText.ForTerminal(line)}");
        return code;
    }

    private static TimeSpan? ParseTimeout(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!Duration.TryParse(text, out TimeSpan time) || time <= TimeSpan.Zero || time > AdminClient.LongestTimeout)
        {
            result.AddError($"--timeout {text}: write a duration from 1ms to 1h, like 5s");
        }

        return time;
    }

    private static bool TryReadToken(FileInfo file, out string? token, out string fault)
    {
        token = null;
        fault = "it must contain the token, one word";
        try
        {
            if (file.Length <= LongestToken)
            {
                token = File.ReadAllText(file.FullName).Trim();
            }
        }
        catch (UnauthorizedAccessException)
        {
            fault = $"no permission to read it: give the user {Environment.UserName} read permission";
        }
        catch (IOException e)
        {
            fault = $"it cannot be read: {e.Message.TrimEnd('.')}";
        }

        return token is { Length: > 0 } && token.All(c => c is > ' ' and <= '~');
    }
}
