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
            byte[] piece = new byte[4096];
            for (int read = 1; read > 0;)
            {
                read = await http.Request.Body.ReadAsync(piece, http.RequestAborted);
                body.Write(piece, 0, read);
                if (body.Length > Guard.LargestBody)
                {
                    throw new BadHttpRequestException("too large", StatusCodes.Status413PayloadTooLarge);
                }
            }
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
