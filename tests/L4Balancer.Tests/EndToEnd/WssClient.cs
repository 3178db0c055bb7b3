using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>wss as a .NET user has it, through a daemon to a <see cref="WebSocketBackend"/>.</summary>
internal static class WssClient
{
    /// <returns>With the name of the backend that answered, and the fingerprint of its certificate.</returns>
    public static async Task<(ClientWebSocket Client, string Backend, string Fingerprint)> ConnectAsync(
        IPEndPoint front, IEnumerable<WebSocketBackend> backends, CancellationToken cancel)
    {
        var client = new ClientWebSocket();
        string fingerprint = "";
        RemoteCertificateValidationCallback known = BackendCertificate.Only(backends.Select(b => b.Certificate));
        client.Options.CollectHttpResponseDetails = true;
        client.Options.RemoteCertificateValidationCallback = (sender, seen, chain, errors) =>
        {
            fingerprint = seen?.GetCertHashString(HashAlgorithmName.SHA256) ?? "";
            return known(sender, seen, chain, errors);
        };
        await client.ConnectAsync(new Uri($"wss://localhost:{front.Port}/"), cancel);
        return (client, client.HttpResponseHeaders![WebSocketBackend.NameHeader].Single(), fingerprint);
    }

    /// <summary>Sends one message while what comes back is read: the backend does not hold a whole message.</summary>
    public static async Task<byte[]> EchoAsync(ClientWebSocket client, byte[] message, CancellationToken cancel)
    {
        Task sending = client.SendAsync(message, WebSocketMessageType.Binary, true, cancel);
        var received = new byte[message.Length + 1];
        int length = 0;
        ValueWebSocketReceiveResult chunk;
        do
        {
            chunk = await client.ReceiveAsync(received.AsMemory(length), cancel);
            length += chunk.Count;
        }
        while (!chunk.EndOfMessage);

        await sending;
        return received[..length];
    }
}
