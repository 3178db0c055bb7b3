using System.Net.Http.Headers;

namespace L4Balancer.Stores;

/// <summary>One request to a store.</summary>
/// <param name="Address">With the query.</param>
internal sealed record StoreRequest(Uri Address)
{
    /// <summary>JSON for a POST; null for a GET.</summary>
    public byte[]? Json { get; init; }

    /// <summary>Each is one line; added as they are.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>Takes the place of <see cref="StoreHttpOptions.Timeout"/>, for an answer that the store may hold back.</summary>
    public TimeSpan? Timeout { get; init; }

    internal HttpRequestMessage ToMessage()
    {
        var message = new HttpRequestMessage(Json is null ? HttpMethod.Get : HttpMethod.Post, Address);
        if (Json is not null)
        {
            message.Content = new ByteArrayContent(Json);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        message.Headers.UserAgent.Add(new ProductInfoHeaderValue("l4balancer", BuildVersion.Current.Version));
        message.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        foreach ((string name, string value) in Headers)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        return message;
    }
}
