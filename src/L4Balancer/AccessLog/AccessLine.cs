using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.AccessLog;

/// <summary>
/// Formats one connection as one line. The keys are the same in every format: time id listener client destination pool backend source
/// sni queue connect total to_backend to_client attempts reason. Durations are in milliseconds, bytes are counted per direction. A value
/// that does not exist (for example if no backend was reached), or is not known yet in the line at connect, is <c>-</c> in text and
/// null in JSON.
/// </summary>
internal static class AccessLine
{
    private const char Missing = '-';

    public static string Format(LogFormat format, in ConnectionRecord record, bool ended, DateTimeOffset time) => format switch
    {
        LogFormat.Json => FormatJson(record, ended, time),
        LogFormat.Journal => LogLine.Prefix(ended ? Level.Information : Level.Debug) + FormatText(record, ended, time),
        _ => FormatText(record, ended, time),
    };

    private static string FormatText(in ConnectionRecord record, bool ended, DateTimeOffset time)
    {
        var line = new StringBuilder(320);
        line.Append("time=").Append(LogText.Time(time));
        line.Append(CultureInfo.InvariantCulture, $" id={record.Id}");
        Append(line, "listener", record.Listener.Name);
        line.Append(CultureInfo.InvariantCulture, $" client={record.Tuple.Source} destination={record.Tuple.Destination}");
        Append(line, "pool", record.Pool.Name);
        Append(line, "backend", record.Backend?.Name);
        Append(line, "source", SourceOf(record));
        Append(line, "sni", null);
        Append(line, "queue", Text(record.QueueTime));
        Append(line, "connect", record.IsEstablished ? Text(record.ConnectTime) : null);
        Append(line, "total", ended ? Text(record.TotalTime) : null);
        Append(line, "to_backend", ended ? record.BytesToBackend.ToString(CultureInfo.InvariantCulture) : null);
        Append(line, "to_client", ended ? record.BytesToClient.ToString(CultureInfo.InvariantCulture) : null);
        line.Append(CultureInfo.InvariantCulture, $" attempts={record.Attempts}");
        Append(line, "reason", ended ? record.Reason.Name() : null);
        return line.ToString();
    }

    private static string FormatJson(in ConnectionRecord record, bool ended, DateTimeOffset time)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, LogLine.Json))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, LogText.Time(time));
            json.WriteNumber("id"u8, record.Id);
            json.WriteString("listener"u8, record.Listener.Name);
            json.WriteString("client"u8, record.Tuple.Source.ToString());
            json.WriteString("destination"u8, record.Tuple.Destination.ToString());
            json.WriteString("pool"u8, record.Pool.Name);
            json.WriteString("backend"u8, record.Backend?.Name);
            json.WriteString("source"u8, SourceOf(record));
            json.WriteNull("sni"u8);
            json.WriteNumber("queue"u8, Milliseconds(record.QueueTime));
            WriteNumber(json, "connect"u8, record.IsEstablished ? Milliseconds(record.ConnectTime) : null);
            WriteNumber(json, "total"u8, ended ? Milliseconds(record.TotalTime) : null);
            WriteNumber(json, "to_backend"u8, ended ? record.BytesToBackend : null);
            WriteNumber(json, "to_client"u8, ended ? record.BytesToClient : null);
            json.WriteNumber("attempts"u8, record.Attempts);
            json.WriteString("reason"u8, ended ? record.Reason.Name() : null);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Append(StringBuilder line, string key, string? value)
    {
        line.Append(' ').Append(key).Append('=');
        if (value is null)
        {
            line.Append(Missing);
        }
        else
        {
            LogText.AppendValue(line, value);
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, ReadOnlySpan<byte> key, double? value)
    {
        if (value is double number)
        {
            json.WriteNumber(key, number);
        }
        else
        {
            json.WriteNull(key);
        }
    }

    private static string? SourceOf(in ConnectionRecord record) => record.IsEstablished ? record.LocalEndpoint.ToString() : null;

    // Microsecond resolution, because a connect within a rack takes a tenth of a millisecond.
    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);

    private static string Text(TimeSpan duration) => Milliseconds(duration).ToString("0.###", CultureInfo.InvariantCulture);
}
