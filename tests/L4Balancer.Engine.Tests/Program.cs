using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Epoll;
using L4Balancer.Engine.Tests.Keeper;
using L4Balancer.Engine.Tests.Packets;
using L4Balancer.Engine.Tests.Ports;

// The test runner loads this assembly and never comes here. A test that needs a network of its own starts it as a process there,
// with the name of a body to run: 0 says that everything held, otherwise standard error says what did not.
try
{
    switch (args)
    {
        case ["source-ports", string engine, string sources, string backends]:
            await SourcePortBody.RunAsync(engine, int.Parse(sources), int.Parse(backends));
            return 0;
        case ["time-wait", string engine, string first, string twReuse, string connections, string role]:
            await TimeWaitBody.RunAsync(engine, first, twReuse, connections, role);
            return 0;
        case ["connect-cost", string engine, string ports]:
            await ConnectCostBody.RunAsync(engine, int.Parse(ports));
            return 0;
        case ["source-choice", string engine, string ports]:
            await SourceChoiceBody.RunAsync(engine, int.Parse(ports));
            return 0;
        case ["unreachable", string engine, string backend]:
            await UnreachableBody.RunAsync(engine, backend);
            return 0;
        case ["transparent", string engine, string role]:
            await TransparentBody.RunAsync(engine, role);
            return 0;
        case ["probe-without-port"]:
            await ProbeWithoutPortBody.RunAsync();
            return 0;
        case ["descriptor-shortage"]:
            await DescriptorShortageBody.RunAsync();
            return 0;
        case ["keeper-victim", string library, string path, string milliseconds] when OperatingSystem.IsLinux():
            await VictimBody.RunAsync(library, path, milliseconds);
            return 0;
        case ["ledger-victim", string library, string folder, string backend] when OperatingSystem.IsLinux():
            await EngineVictimBody.RunAsync(library, folder, backend);
            return 0;
        case ["packet-victim", string folder, string mode] when OperatingSystem.IsLinux():
            await PacketVictimBody.RunAsync(folder, mode);
            return 0;
        default:
            await Console.Error.WriteLineAsync("These are tests: run them with `make test`.");
            return 2;
    }
}
catch (Exception e)
{
    await Console.Error.WriteLineAsync(e.ToString());
    return 1;
}
