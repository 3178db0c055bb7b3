using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace L4Balancer.Metrics;

/// <summary>Which text a scraper gets (RFC 9110, 12.5.1).</summary>
internal static class Negotiation
{
    private const string OpenMetricsType = "application/openmetrics-text";

    /// <summary>
    /// OpenMetrics to who names it at least as gladly as plain text, in a version that there is; plain text to everybody else, also
    /// to who would have neither: a person who looks is better served by it than by an error.
    /// </summary>
    public static ExpositionFormat Choose(StringValues accept)
    {
        double open = 0;
        double plain = 0;
        if (MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? types))
        {
            foreach (MediaTypeHeaderValue type in types)
            {
                double quality = type.Quality ?? 1;
                if (type.MediaType.Equals(OpenMetricsType, StringComparison.OrdinalIgnoreCase) && IsOurs(type))
                {
                    open = Math.Max(open, quality);
                }
                else if (type.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
                {
                    plain = Math.Max(plain, quality);
                }
            }
        }

        return open > 0 && open >= plain ? ExpositionFormat.OpenMetrics : ExpositionFormat.Prometheus;
    }

    private static bool IsOurs(MediaTypeHeaderValue type)
    {
        foreach (NameValueHeaderValue parameter in type.Parameters)
        {
            if (parameter.Name.Equals("version", StringComparison.OrdinalIgnoreCase))
            {
                return HeaderUtilities.RemoveQuotes(parameter.Value).Equals("1.0.0", StringComparison.Ordinal);
            }
        }

        return true;
    }
}
