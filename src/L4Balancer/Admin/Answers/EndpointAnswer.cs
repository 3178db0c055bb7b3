using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>An endpoint that a client is handed.</summary>
/// <param name="Url">The <c>public_url</c> of the backend.</param>
/// <param name="Alternates">At most two others, the better one first.</param>
/// <param name="Ttl">How long the answer may be used, in seconds.</param>
/// <param name="Token">Proves to the backend that the balancer sent the client; not sent without <c>secret_file</c>.</param>
internal sealed record EndpointAnswer(
    string Url, string Backend, string Pool, IReadOnlyList<AlternateAnswer> Alternates, double Ttl,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token);

/// <summary>Another backend, for a client that does not reach the first.</summary>
internal sealed record AlternateAnswer(
    string Url, string Backend, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token);

/// <summary>
/// POST /negotiate: a redirection, as SignalR's clients follow it (https://github.com/dotnet/aspnetcore, TransportProtocols.md).
/// </summary>
/// <param name="Url">With the scheme <c>http</c> or <c>https</c>: the clients negotiate there once more.</param>
internal sealed record NegotiateAnswer(
    [property: JsonPropertyName("negotiateVersion")] int NegotiateVersion, string Url,
    [property: JsonPropertyName("accessToken"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? AccessToken);
