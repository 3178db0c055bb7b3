using System.Globalization;

namespace L4Balancer.Logging;

/// <summary>
/// Writes times as <see cref="LogText.TimeFormat"/> in UTF-8. The text up to the second is kept, because most lines follow another of the
/// same second. One thread.
/// </summary>
internal sealed class TimeText
{
    private const int Length = 24;

    private readonly byte[] _text = new byte[Length];
    private long _second = -1;

    /// <returns>The text; valid until the next call.</returns>
    public ReadOnlySpan<byte> Of(DateTimeOffset time)
    {
        long ticks = time.UtcTicks;
        long second = ticks / TimeSpan.TicksPerSecond;
        if (second != _second)
        {
            time.UtcDateTime.TryFormat(_text, out _, LogText.TimeFormat, CultureInfo.InvariantCulture);
            _second = second;
        }

        int milliseconds = (int)(ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMillisecond);
        _text[20] = (byte)('0' + (milliseconds / 100));
        _text[21] = (byte)('0' + (milliseconds / 10 % 10));
        _text[22] = (byte)('0' + (milliseconds % 10));
        return _text;
    }
}
