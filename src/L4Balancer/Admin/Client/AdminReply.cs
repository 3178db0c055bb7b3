using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Admin.Answers;
using L4Balancer.Logging;

namespace L4Balancer.Admin.Client;

/// <summary>An answer of a daemon.</summary>
internal sealed record AdminReply(int Status, string? MediaType, byte[] Body)
{
    private static readonly JsonSerializerOptions Masking = new(AdminJson.Default.Options) { Converters = { new MaskedText() } };

    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The body; in JSON, characters that could control a terminal are escaped.</summary>
    public string Text => LogText.Json(Encoding.UTF8.GetString(Body));

    /// <summary>The errors of a problem, one line each; null if the answer is not a problem.</summary>
    public IReadOnlyList<string>? Problems
    {
        get
        {
            if (MediaType != Problem.MediaType || Parse(AdminJson.Default.Problem) is not Problem problem)
            {
                return null;
            }

            return problem.Errors is { Count: > 0 } errors ? [.. errors, problem.Detail] : [problem.Detail];
        }
    }

    /// <summary>The body of a success; null if the request failed, or the body has a different format.</summary>
    public T? TryRead<T>(JsonTypeInfo<T> type)
        where T : class => IsSuccess ? Parse(type) : null;

    private T? Parse<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body, (JsonTypeInfo<T>)Masking.GetTypeInfo(type.Type));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
