using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Tests.Config;

/// <summary>A file that is no configuration at all.</summary>
internal sealed class ManyErrorsTests
{
    private const int Keys = 300_000;

    [Test]
    [NonParallelizable]
    public void Of_many_unknown_keys_the_first_hundred_are_named_and_the_rest_is_a_number()
    {
        StringBuilder text = new(new ConfigText().ToString());
        for (int i = 0; i < Keys; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"[unknown_{i}]\n");
        }

        TimeSpan start = Environment.CpuUsage.TotalTime;
        string[] errors = ConfigText.Errors(text.ToString());

        // Naming the nearest known key of each took minutes.
        Assert.That(Environment.CpuUsage.TotalTime - start, Is.LessThan(TimeSpan.FromSeconds(10)));
        Assert.That(errors, Has.Length.EqualTo(101));
        Assert.That(errors[..100], Has.All.Contain("unknown key in "));
        Assert.That(errors[100], Does.EndWith($"and {Keys - 100} more"));
    }
}
