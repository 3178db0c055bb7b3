using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Admin.Answers;

namespace L4Balancer.Admin.Client;

/// <summary>An answer of a daemon.</summary>
internal sealed record AdminReply(int Status, string? MediaType, byte[] Body)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The errors of a problem, one line each; null if the answer is not a problem.</summary>
    public IReadOnlyList<string>? Problems
    {
        get
        {
            if (MediaType != Problem.MediaType || TryRead(AdminJson.Default.Problem) is not Problem problem)
            {
                return null;
            }

            return problem.Errors is { Count: > 0 } errors ? [.. errors, problem.Detail] : [problem.Detail];
        }
    }

    /// <summary>Null if the body has a different format.</summary>
    public T? TryRead<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
