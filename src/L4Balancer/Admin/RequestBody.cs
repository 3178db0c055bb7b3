using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>Reads the JSON of a request.</summary>
internal static class RequestBody
{
    /// <summary>
    /// Reads the whole body and then parses it, so that what goes wrong while reading is an error of the request: Kestrel throws
    /// <see cref="BadHttpRequestException"/> for some of what a client can send, and an exception of arithmetic for a chunk size beyond
    /// 64 bits.
    /// </summary>
    /// <returns>Null if it is no such JSON.</returns>
    /// <exception cref="BadHttpRequestException">The body is larger than <see cref="Guard.LargestBody"/>, or cannot be read.</exception>
    public static async Task<T?> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type)
        where T : class
    {
        using var body = new MemoryStream();
        try
        {
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        }
        catch (Exception e) when (
            e is not (OperationCanceledException or BadHttpRequestException) && !http.RequestAborted.IsCancellationRequested)
        {
            http.Response.Headers.Connection = "close";
            throw new BadHttpRequestException("the body cannot be read: send it with Content-Length, or in well-formed chunks", e);
        }

        try
        {
            return JsonSerializer.Deserialize(body.GetBuffer().AsSpan(0, (int)body.Length), type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
