namespace L4Balancer.Core.Accounting;

/// <summary>What a connect of a client tells the one who decides who is up.</summary>
public enum ConnectNews
{
    /// <summary>Nothing that matters.</summary>
    None,

    /// <summary>So many have failed in a row that the backend is to be marked down.</summary>
    Failing,

    /// <summary>After that, one has succeeded.</summary>
    Working,

    /// <summary>The one that was let through has failed.</summary>
    TrialFailed,
}
