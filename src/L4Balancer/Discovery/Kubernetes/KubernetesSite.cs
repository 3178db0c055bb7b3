using L4Balancer.Core.Config;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Kubernetes;

/// <summary>Where the API of Kubernetes is, and how it is asked.</summary>
internal sealed record KubernetesSite(Uri Api, StoreAccess Access)
{
    /// <summary>
    /// Where a pod finds the token and the authority of its service account (Kubernetes, "Accessing the Kubernetes API from a Pod").
    /// </summary>
    public const string AccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <param name="environment">Gives a variable of the environment; null if it is not set.</param>
    /// <returns>Or why there is none, if the daemon is not in a cluster.</returns>
    public static StoreResult<KubernetesSite> Of(DiscoverySettings settings, Func<string, string?> environment)
    {
        StoreAccess access = DiscoveryAccess.Of(settings);
        if (settings.Kubernetes != DiscoverySettings.InCluster)
        {
            return new(new KubernetesSite(new Uri(settings.Kubernetes), access));
        }

        string host = environment("KUBERNETES_SERVICE_HOST") ?? "";
        string port = environment("KUBERNETES_SERVICE_PORT") ?? "";
        string text = $"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}";
        return host.Length > 0 && port.Length > 0 && Uri.TryCreate(text, UriKind.Absolute, out Uri? api)
            ? new(new KubernetesSite(api, access with
            {
                TokenFile = access.TokenFile.Length > 0 ? access.TokenFile : AccountFolder + "/token",
                CaFile = access.CaFile.Length > 0 ? access.CaFile : AccountFolder + "/ca.crt",
            }))
            : StoreResult<KubernetesSite>.Failed("this is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    }
}
