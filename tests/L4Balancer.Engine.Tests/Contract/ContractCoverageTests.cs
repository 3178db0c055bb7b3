namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Every fixture of the contract runs against every engine.</summary>
internal sealed class ContractCoverageTests
{
    [Test]
    public void Every_part_of_the_contract_runs_against_both_engines()
    {
        Type[] all = typeof(EngineContract).Assembly.GetTypes();
        Type[] parts = [.. all.Where(t => t.BaseType == typeof(EngineContract) && t.Namespace == typeof(EngineContract).Namespace)];
        Assert.That(parts, Is.Not.Empty);
        foreach (Type part in parts)
        {
            IEnumerable<string> engines = all.Where(t => t.BaseType == part).Select(t => t.DeclaringType?.Name ?? t.Name);
            Assert.That(engines, Is.SupersetOf(["EpollEngineTests", "ManagedEngineTests"]), part.Name);
        }
    }
}
