using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// One exchange with one backend over a connected socket: TLS, then HTTP, WebSocket, MQTT or the bytes of <c>send</c> and <c>expect</c>, as
/// <see cref="Exchange"/> specifies, then the closing handshake. It owns the socket. One call at a time, except <see cref="Stage"/> and
/// <see cref="Cut"/>, which cuts a call short.
/// </summary>
internal sealed class Conversation : IDisposable
{
    /// <summary>Maximum bytes that a backend may send after the exchange before it is reset.</summary>
    private const int LongestRest = 64 * 1024;

    private static readonly LingerOption FinOnClose = new(enable: false, seconds: 0);

    private readonly Socket _socket;
    private readonly Exchange _exchange;
    private readonly SendProxy _sendProxy;
    private readonly byte[] _buffer;
    private WatchedStream? _plain;
    private SslStream? _tls;
    private string? _certificateFault;
    private volatile ProbeStage _stage;
    private volatile bool _hasEnded;

    /// <param name="socket">A connected socket that resets the connection when it is closed.</param>
    /// <param name="sendProxy">The header that comes first: it declares a connection of the balancer itself.</param>
    public Conversation(Socket socket, Exchange exchange, SendProxy sendProxy = SendProxy.None)
    {
        _socket = socket;
        _sendProxy = sendProxy;
        _exchange = exchange;
        _buffer = ArrayPool<byte>.Shared.Rent(exchange.BufferSize);
        _stage = exchange.IsTls ? ProbeStage.Handshake : exchange.FirstStage;
    }

    /// <summary>The step in progress. Any thread may read it.</summary>
    public ProbeStage Stage => _stage;

    /// <summary>Whether the exchange waits for bytes of the backend, and not for this process. Any thread may read it.</summary>
    public bool IsWaiting => _plain?.IsReading ?? false;

    /// <summary>Whether it has been disposed of. Any thread may read it.</summary>
    public bool HasEnded => _hasEnded;

    private Stream Stream => (Stream?)_tls ?? _plain!;

    /// <summary>Runs the exchange. Does not throw. Any thread may dispose of the socket meanwhile; the verdict is unused then.</summary>
    public async Task<ProbeVerdict> RunAsync()
    {
        try
        {
            _plain = new WatchedStream(_socket);
            if (_sendProxy != SendProxy.None)
            {
                await _plain.WriteAsync(ProbePreface.Of(_sendProxy, _socket)).ConfigureAwait(false);
            }

            if (_exchange.IsTls)
            {
                _tls = new SslStream(_plain, leaveInnerStreamOpen: true, (_, certificate, chain, errors) =>
                    (_certificateFault = _exchange.Trust.WhyNot(certificate, chain, errors, _exchange.ServerName)) is null);
                await _tls.AuthenticateAsClientAsync(_exchange.Tls()).ConfigureAwait(false);
            }

            _stage = _exchange.FirstStage;
            string? fault = _exchange.IsHttp ? await AskAsync().ConfigureAwait(false)
                : _exchange.IsWebSocket ? await UpgradeAsync().ConfigureAwait(false)
                : _exchange.IsMqtt ? await new MqttTalk(Stream, _buffer).ConnectAsync().ConfigureAwait(false)
                : await new ExpectTalk(Stream, _buffer).RunAsync(_exchange.Send, _exchange.Expected).ConfigureAwait(false);
            return fault is null ? new ProbeVerdict(ProbeOutcome.Success, "") : ProbeVerdict.Unfit(fault);
        }
        catch (AuthenticationException) when (_certificateFault is not null)
        {
            return ProbeVerdict.Unfit(_certificateFault);
        }
        catch (Exception e) when (ConversationFault.IsEveryday(e))
        {
            return ProbeVerdict.Unfit(ConversationFault.InWords(e, Stage));
        }
        catch (Exception e)
        {
            // An internal fault must not be blamed on the backend, nor keep its probe in flight for ever.
            return ProbeVerdict.Ours(e);
        }
    }

    /// <summary>
    /// Closes after a successful exchange. The server is notified and given time to close first, as RFC 6455, 7.1.1 and "Connection: close"
    /// require: its log stays clean, and TIME_WAIT is on its side. An MQTT broker closes after DISCONNECT (MQTT 3.1.1, 3.14.4). After <c>send</c>
    /// and <c>expect</c> without TLS the balancer sends FIN first, because nothing else ends the exchange. It takes as long as the server
    /// does, or until <see cref="Cut"/>. Does not throw.
    /// </summary>
    public async Task CloseAsync()
    {
        try
        {
            if (_exchange.IsWebSocket)
            {
                await Stream.WriteAsync(WebSocketTalk.CloseFrame()).ConfigureAwait(false);
            }
            else if (_exchange.IsMqtt)
            {
                await Stream.WriteAsync(MqttTalk.Disconnect).ConfigureAwait(false);
            }
            else if (!_exchange.IsHttp)
            {
                await FinishAsync().ConfigureAwait(false);
            }

            if (await HasEndedAsync().ConfigureAwait(false))
            {
                if (_tls is not null && (_exchange.IsHttp || _exchange.IsWebSocket || _exchange.IsMqtt))
                {
                    await _tls.ShutdownAsync().ConfigureAwait(false);
                }

                _socket.LingerState = FinOnClose;
            }
        }
        catch (Exception)
        {
            // The verdict is already known; a failed closing handshake has no consequence.
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Resets the connection of a server that takes too long. Any thread may call, at any time.</summary>
    public void Cut() => _socket.Dispose();

    public void Dispose()
    {
        _hasEnded = true;
        _tls?.Dispose();
        _plain?.Dispose();
        _socket.Dispose();
        ArrayPool<byte>.Shared.Return(_buffer);
    }

    private async ValueTask FinishAsync()
    {
        if (_tls is not null)
        {
            await _tls.ShutdownAsync().ConfigureAwait(false);
        }
        else
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
    }

    private async Task<string?> AskAsync()
    {
        var talk = new HttpTalk(Stream, _buffer);
        await talk.SendAsync(_exchange).ConfigureAwait(false);
        HttpReply reply = await talk.ReceiveAsync().ConfigureAwait(false);
        return reply.Fault ?? (_exchange.Status.Contains(reply.Status) ? null : $"answered {reply.Status}");
    }

    private async Task<string?> UpgradeAsync()
    {
        var talk = new HttpTalk(Stream, _buffer);
        await talk.SendAsync(_exchange).ConfigureAwait(false);
        HttpReply reply = await talk.ReceiveAsync().ConfigureAwait(false);
        if ((reply.Fault ?? reply.WhyNoUpgrade()) is string fault)
        {
            return fault;
        }

        _stage = ProbeStage.Pong;
        return await new WebSocketTalk(Stream, _buffer).PingAsync(talk.Rest).ConfigureAwait(false);
    }

    private async ValueTask<bool> HasEndedAsync()
    {
        for (int left = LongestRest; left > 0;)
        {
            int count = await Stream.ReadAsync(_buffer).ConfigureAwait(false);
            if (count == 0)
            {
                return true;
            }

            left -= count;
        }

        return false;
    }
}
