using System.Text.Json;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Logging;

namespace L4Balancer.AccessLog;

/// <summary>What a line of the access log is about. The field <c>event</c> has the lower-case names.</summary>
internal enum LineKind : byte
{
    /// <summary>A backend is connected (<c>access_log_start</c>, or <c>log_level = "debug"</c>).</summary>
    Start,

    /// <summary>The connection still lives (<c>access_log_every</c>).</summary>
    Alive,

    /// <summary>The connection is over (<c>access_log</c>).</summary>
    End,
}

/// <summary>
/// Formats one connection as one line. The keys are the same in every format: time id event listener client destination pool backend source
/// sni queue connect total to_backend to_client attempts reason; <c>event</c> is there only where lines of more than one
/// <see cref="LineKind"/> are written. Durations are in milliseconds, bytes are counted per direction. A value that does not exist (for
/// example if no backend was reached), or is not known yet, is <c>-</c> in text and null in JSON. A connection that ended as
/// <c>limit</c> has the key limit besides, one of a listener with routes the keys route and rule, and one whose request or hash key was read the
/// keys host and key. Formats straight into UTF-8; allocates nothing in the steady state, except for a name with unusual characters. One thread.
/// </summary>
internal sealed class AccessLine : IDisposable
{
    private readonly LogFormat _format;
    private readonly TimeText _time = new();
    private readonly LineBuffer _scratch = new(0);
    private readonly Utf8JsonWriter? _json;

    public AccessLine(LogFormat format)
    {
        _format = format;
        _json = format == LogFormat.Json ? new Utf8JsonWriter(_scratch, LogLine.Json) : null;
    }

    /// <summary>Appends the line with its line end.</summary>
    /// <param name="record">Of a connection that has not ended: as <see cref="ConnectionRecord.At"/> this time.</param>
    /// <param name="withKind">Whether the line has the field <c>event</c>.</param>
    /// <param name="isDebug">Whether the line is there only because of the log level.</param>
    public void Append(LineBuffer lines, in ConnectionRecord record, LineKind kind, bool withKind, bool isDebug, DateTimeOffset time)
    {
        if (_json is not null)
        {
            _json.Reset(lines);
            WriteJson(_json, record, kind, withKind, time);
            _json.Flush();
        }
        else
        {
            if (_format == LogFormat.Journal)
            {
                lines.Append(isDebug ? "<7>"u8 : "<6>"u8);
            }

            AppendText(lines, record, kind, withKind, time);
        }

        lines.Append((byte)'\n');
    }

    public void Dispose() => _json?.Dispose();

    private void AppendText(LineBuffer line, in ConnectionRecord record, LineKind kind, bool withKind, DateTimeOffset time)
    {
        line.Append("time="u8);
        line.Append(_time.Of(time));
        line.Append(" id="u8);
        line.Append(record.Id);
        if (withKind)
        {
            line.Append(" event="u8);
            line.Append(NameOf(kind));
        }

        line.Append(" listener="u8);
        LogText.AppendValue(line, record.Listener.Name);
        line.Append(" client="u8);
        line.Append(record.Tuple.Source);
        line.Append(" destination="u8);
        line.Append(record.Tuple.Destination);
        line.Append(" pool="u8);
        LogText.AppendValue(line, record.Pool.Name);
        line.Append(" backend="u8);
        AppendOrMissing(line, record.Backend?.Name);
        line.Append(" source="u8);
        if (record.IsEstablished && !record.LocalEndpoint.IsUnix)
        {
            line.Append(record.LocalEndpoint);
        }
        else
        {
            line.Append((byte)'-');
        }

        line.Append(" sni="u8);
        AppendOrMissing(line, record.Names?.Sni);
        line.Append(" queue="u8);
        AppendDuration(line, record.QueueTime);
        line.Append(" connect="u8);
        AppendDuration(line, record.IsEstablished ? record.ConnectTime : null);
        line.Append(" total="u8);
        AppendDuration(line, kind == LineKind.Start ? null : record.TotalTime);
        line.Append(" to_backend="u8);
        AppendCount(line, kind == LineKind.Start ? null : record.BytesToBackend);
        line.Append(" to_client="u8);
        AppendCount(line, kind == LineKind.Start ? null : record.BytesToClient);
        line.Append(" attempts="u8);
        line.Append((long)record.Attempts);
        line.Append(" reason="u8);
        AppendOrMissing(line, kind == LineKind.End ? record.Reason.Name() : null);
        if (record.Limit != LimitKind.None)
        {
            line.Append(" limit="u8);
            LogText.AppendValue(line, record.Limit.Name());
        }

        AppendIfKnown(line, " route="u8, record.Route);
        AppendIfKnown(line, " rule="u8, record.Origin.Rule);
        AppendIfKnown(line, " host="u8, record.Names?.Host);
        AppendIfKnown(line, " key="u8, record.Names?.Key);
    }

    private void WriteJson(Utf8JsonWriter json, in ConnectionRecord record, LineKind kind, bool withKind, DateTimeOffset time)
    {
        Span<byte> text = stackalloc byte[Endpoint.LongestText];
        json.WriteStartObject();
        json.WriteString("time"u8, _time.Of(time));
        json.WriteNumber("id"u8, record.Id);
        if (withKind)
        {
            json.WriteString("event"u8, NameOf(kind));
        }

        json.WriteString("listener"u8, record.Listener.Name);
        json.WriteString("client"u8, text[..record.Tuple.Source.Format(text)]);
        json.WriteString("destination"u8, text[..record.Tuple.Destination.Format(text)]);
        json.WriteString("pool"u8, record.Pool.Name);
        json.WriteString("backend"u8, record.Backend?.Name);
        if (record.IsEstablished && !record.LocalEndpoint.IsUnix)
        {
            json.WriteString("source"u8, text[..record.LocalEndpoint.Format(text)]);
        }
        else
        {
            json.WriteNull("source"u8);
        }

        json.WriteString("sni"u8, record.Names?.Sni);
        json.WriteNumber("queue"u8, Milliseconds(record.QueueTime));
        WriteNumber(json, "connect"u8, record.IsEstablished ? Milliseconds(record.ConnectTime) : null);
        WriteNumber(json, "total"u8, kind == LineKind.Start ? null : Milliseconds(record.TotalTime));
        if (kind == LineKind.Start)
        {
            json.WriteNull("to_backend"u8);
            json.WriteNull("to_client"u8);
        }
        else
        {
            json.WriteNumber("to_backend"u8, record.BytesToBackend);
            json.WriteNumber("to_client"u8, record.BytesToClient);
        }

        json.WriteNumber("attempts"u8, record.Attempts);
        json.WriteString("reason"u8, kind == LineKind.End ? record.Reason.Name() : null);
        if (record.Limit != LimitKind.None)
        {
            json.WriteString("limit"u8, record.Limit.Name());
        }

        WriteIfKnown(json, "route"u8, record.Route);
        WriteIfKnown(json, "rule"u8, record.Origin.Rule);
        WriteIfKnown(json, "host"u8, record.Names?.Host);
        WriteIfKnown(json, "key"u8, record.Names?.Key);
        json.WriteEndObject();
    }

    private static ReadOnlySpan<byte> NameOf(LineKind kind) => kind switch
    {
        LineKind.Start => "start"u8,
        LineKind.Alive => "alive"u8,
        _ => "end"u8,
    };

    private static void AppendOrMissing(LineBuffer line, string? value)
    {
        if (value is null)
        {
            line.Append((byte)'-');
        }
        else
        {
            LogText.AppendValue(line, value);
        }
    }

    private static void AppendIfKnown(LineBuffer line, ReadOnlySpan<byte> key, string? value)
    {
        if (value is { Length: > 0 })
        {
            line.Append(key);
            LogText.AppendValue(line, value);
        }
    }

    private static void WriteIfKnown(Utf8JsonWriter json, ReadOnlySpan<byte> key, string? value)
    {
        if (value is { Length: > 0 })
        {
            json.WriteString(key, value);
        }
    }

    private static void AppendCount(LineBuffer line, long? count)
    {
        if (count is long number)
        {
            line.Append(number);
        }
        else
        {
            line.Append((byte)'-');
        }
    }

    // As the number would be written with at most three decimals, without those that are zero.
    private static void AppendDuration(LineBuffer line, TimeSpan? duration)
    {
        if (duration is not TimeSpan known)
        {
            line.Append((byte)'-');
            return;
        }

        long microseconds = (long)Math.Round(Milliseconds(known) * 1000);
        if (microseconds < 0)
        {
            line.Append((byte)'-');
            microseconds = -microseconds;
        }

        line.Append(microseconds / 1000);
        int rest = (int)(microseconds % 1000);
        if (rest == 0)
        {
            return;
        }

        line.Append((byte)'.');
        for (int unit = 100; rest > 0; unit /= 10)
        {
            line.Append((byte)('0' + (rest / unit)));
            rest %= unit;
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

    // Microsecond resolution, because a connect within a rack takes a tenth of a millisecond.
    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);
}
