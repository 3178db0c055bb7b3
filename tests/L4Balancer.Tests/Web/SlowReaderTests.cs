using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Admin;
using L4Balancer.Admin.Answers;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Web;

/// <summary>A reader below 32 KiB/s is cut off, one above it gets everything; in real time, which is Kestrel's.</summary>
[Parallelizable]
internal sealed class SlowReaderTests
{
    private const int Step = 100;

    [Test]
    public async Task A_large_answer_is_for_those_who_read_it()
    {
        WebApplicationBuilder builder = QuietHost.CreateBuilder(NullLoggerFactory.Instance);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
        {
            options.Limits.MinResponseDataRate = RequestBounds.SlowestReader;
            options.Listen(IPAddress.Loopback, 0, new ConnectionPlaces(PlaceLimits.ForTcp("[admin] listen", 64), TimeProvider.System, NullLogger.Instance).Limit);
        });
        WebApplication app = builder.Build();
        try
        {
            app.Run(static http => Reply.LargeJsonAsync(http, new ConnectionsAnswer(0, Endless()), AdminJson.Default.ConnectionsAnswer));
            await app.StartAsync();
            int port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;

            Task<TimeSpan?> slow = ReadAsync(port, bytesPerSecond: 16 * 1024, atMost: TimeSpan.FromSeconds(30));
            Task<TimeSpan?> fast = ReadAsync(port, bytesPerSecond: 128 * 1024, atMost: TimeSpan.FromSeconds(20));
            Assert.That(await fast, Is.Null, "it was not cut off");
            TimeSpan? cut = await slow;
            Assert.That(cut, Is.Not.Null, "it was cut off");
            TestContext.Out.WriteLine($"a reader of 16 KiB/s was cut off after {cut}");
        }
        finally
        {
            await QuietHost.EndAsync(app);
        }
    }

    private static IEnumerable<ConnectionAnswer> Endless()
    {
        for (ulong id = 0; ; id++)
        {
            yield return new ConnectionAnswer(id, "192.0.2.1:1", "192.0.2.2:2", "wss", "chat", "ws1", "192.0.2.3:3", 1, 1, 1, 1, 1, "active");
        }
    }

    /// <returns>When the connection ended; null if it did not.</returns>
    private static async Task<TimeSpan?> ReadAsync(int port, int bytesPerSecond, TimeSpan atMost)
    {
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(IPAddress.Loopback, port);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
        var buffer = new byte[bytesPerSecond * Step / 1000];
        var watch = Stopwatch.StartNew();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(Step));
        while (watch.Elapsed < atMost)
        {
            await tick.WaitForNextTickAsync();
            try
            {
                for (int wanted = buffer.Length; wanted > 0;)
                {
                    int count = await client.ReceiveAsync(buffer.AsMemory(0, wanted));
                    if (count == 0)
                    {
                        return watch.Elapsed;
                    }

                    wanted -= count;
                }
            }
            catch (SocketException)
            {
                return watch.Elapsed;
            }
        }

        return null;
    }
}
