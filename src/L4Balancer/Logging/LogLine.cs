using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>Formats one log entry as one line, without its line end.</summary>
internal static class LogLine
{
    /// <summary>Log lines are never read as HTML, so the relaxed encoder is safe; control characters are escaped in any case.</summary>
    public static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Format(
        LogFormat format, DateTimeOffset time, Level level, string category, EventId id, string message, Exception? exception) =>
        format switch
        {
            LogFormat.Json => FormatJson(time, level, category, id, message, exception),

            // The journal records the time itself and takes the level from the prefix (sd-daemon(3)).
            LogFormat.Journal => Prefix(level) + LogText.OneLine(With(message, exception)),
            _ => $"{LogText.Time(time)} {Name(level),-7} {LogText.OneLine(With(message, exception))}",
        };

    /// <summary>The syslog level as the journal reads it at the start of a line.</summary>
    public static string Prefix(Level level) => level switch
    {
        Level.Critical => "<2>",
        Level.Error => "<3>",
        Level.Warning => "<4>",
        Level.Information => "<6>",
        _ => "<7>",
    };

    private static string Name(Level level) => level switch
    {
        Level.Critical => "fatal",
        Level.Error => "error",
        Level.Warning => "warning",
        Level.Information => "info",
        Level.Debug => "debug",
        _ => "trace",
    };

    private static string With(string message, Exception? exception) => exception is null ? message : $"{message}: {exception}";

    private static string FormatJson(
        DateTimeOffset time, Level level, string category, EventId id, string message, Exception? exception)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, Json))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, LogText.Time(time));
            json.WriteString("level"u8, Name(level));
            json.WriteString("category"u8, category);
            json.WriteNumber("event"u8, id.Id);
            json.WriteString("message"u8, message);
            if (exception is not null)
            {
                json.WriteString("exception"u8, exception.ToString());
            }

            json.WriteEndObject();
        }

        return LogText.Json(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }
}
