using L4Balancer.Fuzz.Runs;
using L4Balancer.Fuzz.Targets;

namespace L4Balancer.Fuzz;

/// <summary>
/// What a fuzzer would do, in a fixed number of rounds with a fixed seed; and again whatever one has found. Processor time is that of the
/// process, so nothing runs beside these tests.
/// </summary>
[NonParallelizable]
internal sealed class SeededTests
{
    private const int Seed = 20261128;
    private const int Rounds = 20_000;

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [TestCaseSource(nameof(Targets))]
    public void Mutated_inputs_are_answered(FuzzTarget target)
    {
        Random random = new(Seed);
        Mutator mutator = new(random, target.Fragments);
        byte[][] seeds = [.. target.Seeds()];
        int valid = 0;
        TimeSpan start = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < Rounds; i++)
        {
            byte[] bytes = mutator.Mutate(seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)]);
            valid += Answer(target, bytes) ? 1 : 0;
        }

        Assert.That(valid, Is.InRange(Rounds / 100, target is ProxyWriterTarget ? Rounds : Rounds * 99 / 100), "some stay valid, and some do not");
        Assert.That(Environment.CpuUsage.TotalTime - start, Is.LessThan(Bound));
    }

    [TestCaseSource(nameof(Targets))]
    public void Seeds_are_answered_and_some_are_valid(FuzzTarget target) => Assert.That(target.Seeds().Count(seed => Answer(target, seed)), Is.Positive);

    [TestCaseSource(nameof(AllCases))]
    public void Finding_does_not_come_back(FuzzTarget target, string path) => Answer(target, File.ReadAllBytes(path));

    [Test]
    public void Every_folder_of_cases_is_that_of_a_target() =>
        Assert.That(Directory.GetDirectories(CaseFolder.Root).Select(Path.GetFileName), Is.SubsetOf(Targets().Select(t => t.Name)));

    private static IEnumerable<FuzzTarget> Targets() => FuzzTarget.All;

    private static IEnumerable<TestCaseData> AllCases() =>
        FuzzTarget.All.SelectMany(target => CaseFolder.Of(target).Select(path => new TestCaseData(target, path).SetArgDisplayNames(target.Name, Path.GetFileName(path))));

    private static bool Answer(FuzzTarget target, byte[] bytes)
    {
        try
        {
            return target.Run(bytes);
        }
        catch (Exception fault) when (fault is not ResultStateException)
        {
            Assert.Fail($"{fault}\n{Convert.ToHexString(bytes)}");
            return false;
        }
    }
}
