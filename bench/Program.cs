using L4Balancer.Bench;

return BenchCommands.Root().Parse(args).Invoke();
