using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace L4Balancer.Web;

/// <summary>What a request of one of the daemon's web hosts may take, in size and time. A longer or slower one is refused or cut off.</summary>
/// <param name="LargestBody">Bytes of a body.</param>
/// <param name="LongestHead">Bytes of all headers; the request line has at most 8 KiB.</param>
/// <param name="HeadTimeout">Until the whole head is there.</param>
/// <param name="IdleTimeout">How long a connection may stand between two requests.</param>
internal sealed record RequestBounds(long LargestBody, int LongestHead, TimeSpan HeadTimeout, TimeSpan IdleTimeout)
{
    private const int LongestLine = 8 * 1024;
    private const int MostHeaders = 64;

    /// <summary>
    /// A reader that takes an answer more slowly is cut off. The grace period holds for each write: large answers are written in pieces
    /// that take longer than it.
    /// </summary>
    public static MinDataRate SlowestReader { get; } = new(bytesPerSecond: 32 * 1024, gracePeriod: TimeSpan.FromSeconds(5));

    /// <summary>Sets them, and that the server says nothing of itself.</summary>
    public void Apply(KestrelServerOptions options)
    {
        options.AddServerHeader = false;
        options.AllowSynchronousIO = false;
        options.Limits.MaxRequestBodySize = LargestBody;
        options.Limits.MaxRequestHeadersTotalSize = LongestHead;
        options.Limits.MaxRequestLineSize = LongestLine;
        options.Limits.MaxRequestHeaderCount = MostHeaders;
        options.Limits.RequestHeadersTimeout = HeadTimeout;
        options.Limits.KeepAliveTimeout = IdleTimeout;
        options.Limits.MinResponseDataRate = SlowestReader;
    }
}
