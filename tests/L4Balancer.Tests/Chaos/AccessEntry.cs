using System.Net;
using System.Text.Json;

namespace L4Balancer.Tests.Chaos;

/// <summary>One line of the access log in JSON.</summary>
internal sealed record AccessEntry
{
    public required ulong Id { get; init; }

    public required string Listener { get; init; }

    public required IPEndPoint Client { get; init; }

    public required string? Backend { get; init; }

    /// <summary>The balancer's address towards the backend; null if none was connected: the client was refused.</summary>
    public required string? Source { get; init; }

    public required double? Connect { get; init; }

    public required double Queue { get; init; }

    public required double Total { get; init; }

    public required long ToBackend { get; init; }

    public required long ToClient { get; init; }

    public required int Attempts { get; init; }

    public required string Reason { get; init; }

    public bool IsRefused => Source is null;

    /// <summary>One of the two sides ended it in good order.</summary>
    public bool IsOrdinary => Reason is "client_closed" or "backend_closed";

    /// <returns>Null if the line is another one of the log, or of a connection that has not ended.</returns>
    public static AccessEntry? TryParse(string line)
    {
        if (!line.Contains("\"to_backend\":", StringComparison.Ordinal))
        {
            return null;
        }

        using var document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        if (root.TryGetProperty("event", out JsonElement kind) && kind.GetString() != "end")
        {
            return null;
        }

        return new AccessEntry
        {
            Id = root.GetProperty("id").GetUInt64(),
            Listener = root.GetProperty("listener").GetString()!,
            Client = IPEndPoint.Parse(root.GetProperty("client").GetString()!),
            Backend = root.GetProperty("backend").GetString(),
            Source = root.GetProperty("source").GetString(),
            Connect = root.GetProperty("connect") is { ValueKind: JsonValueKind.Number } connect ? connect.GetDouble() : null,
            Queue = root.GetProperty("queue").GetDouble(),
            Total = root.GetProperty("total").GetDouble(),
            ToBackend = root.GetProperty("to_backend").GetInt64(),
            ToClient = root.GetProperty("to_client").GetInt64(),
            Attempts = root.GetProperty("attempts").GetInt32(),
            Reason = root.GetProperty("reason").GetString()!,
        };
    }

    public override string ToString() =>
        $"line {Id} ({Listener}, {Reason}, backend {Backend ?? "-"}, {(IsRefused ? "refused" : "established")}, "
        + $"to_backend {ToBackend}, to_client {ToClient}, total {Total} ms)";
}
