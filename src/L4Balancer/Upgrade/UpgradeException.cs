namespace L4Balancer.Upgrade;

/// <summary>Why an upgrade cannot go on, as text for the log and for whoever asked for it.</summary>
internal class UpgradeException(string message) : Exception(message);

/// <summary>The other process has ended, or has closed its end of the channel.</summary>
internal sealed class UpgradePeerEndedException(string message) : UpgradeException(message);

/// <summary>The other process neither reads nor sends, and has not ended.</summary>
internal sealed class UpgradeSilenceException(string message) : UpgradeException(message);
