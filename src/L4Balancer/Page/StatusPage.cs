using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Page;

/// <summary>
/// The status page: one self-contained document, assembled once from the files in <c>assets</c>. It contacts only the daemon
/// that served it, and its policy (CSP 3) allows only its own style and script.
/// </summary>
internal static class StatusPage
{
    /// <summary>In dependency order: later scripts use earlier ones.</summary>
    private static readonly string[] Scripts =
    [
        "text.js", "api.js", "keyboard.js", "chart.js", "recorded.js", "dialogs.js", "actions.js", "connections.js", "rows.js", "cards.js", "pools.js", "trouble.js",
        "overview.js", "events.js", "fleet.js", "page.js",
    ];

    private static readonly Lazy<(byte[] Document, string Policy)> Page = new(Make);

    public static Task WriteAsync(HttpContext http)
    {
        (byte[] document, string policy) = Page.Value;
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.ContentLength = document.Length;
        http.Response.Headers.ContentSecurityPolicy = policy;
        return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : http.Response.Body.WriteAsync(document, http.RequestAborted).AsTask();
    }

    private static (byte[] Document, string Policy) Make()
    {
        string style = Read("page.css");
        string script = $"'use strict';\n{string.Concat(Scripts.Select(Read))}";
        string document = Read("page.html")
            .Replace("/*style*/", style, StringComparison.Ordinal).Replace("/*script*/", script, StringComparison.Ordinal);
        string policy = "default-src 'none'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
            + $"style-src '{HashOf(style)}'; script-src '{HashOf(script)}'";
        return (Encoding.UTF8.GetBytes(document), policy);
    }

    private static string Read(string name)
    {
        using Stream resource = typeof(StatusPage).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(resource, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static string HashOf(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";
}
