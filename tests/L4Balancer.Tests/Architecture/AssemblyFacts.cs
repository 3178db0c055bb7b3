using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace L4Balancer.Tests.Architecture;

/// <summary>What one built assembly says of itself, read from its metadata and IL without loading it.</summary>
internal sealed class AssemblyFacts
{
    private AssemblyFacts(MetadataReader metadata, PEReader image)
    {
        References = [.. metadata.AssemblyReferences.Select(h => metadata.GetString(metadata.GetAssemblyReference(h).Name)).Order()];
        MembersUsed = [.. metadata.MemberReferences.Select(h => Describe(metadata, metadata.GetMemberReference(h))).Distinct().Order()];
        TypesUsed = [.. metadata.TypeReferences.Select(h => Describe(metadata, h)).Distinct().Order()];
        Imports = [.. metadata.MethodDefinitions.Select(metadata.GetMethodDefinition)
            .Where(m => (m.Attributes & MethodAttributes.PinvokeImpl) != 0)
            .Select(m => (TypeUses.NamespaceOf(metadata, m.GetDeclaringType()), metadata.GetString(m.Name)))];
        IsUnsafe = metadata.GetModuleDefinition().GetCustomAttributes()
            .Any(h => TypeUses.AttributeName(metadata, h) == "System.Security.UnverifiableCodeAttribute");
        NamespaceUses = TypeUses.Read(metadata, image);
    }

    /// <summary>Simple names of the assemblies that it refers to.</summary>
    public ImmutableArray<string> References { get; }

    /// <summary>Members of other assemblies that its code uses, as <c>Namespace.Type::Member(parameters)</c>.</summary>
    public ImmutableArray<string> MembersUsed { get; }

    /// <summary>Types of other assemblies that it names, as <c>Namespace.Type</c>.</summary>
    public ImmutableArray<string> TypesUsed { get; }

    /// <summary>Methods that live in native code, with the namespace that declares them.</summary>
    public ImmutableArray<(string Namespace, string Method)> Imports { get; }

    /// <summary>Compiled with unsafe code allowed.</summary>
    public bool IsUnsafe { get; }

    /// <summary>Which of its namespaces uses which other one.</summary>
    public ImmutableArray<NamespaceUse> NamespaceUses { get; }

    public static AssemblyFacts Read(string name)
    {
        using var image = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, name + ".dll")));
        return new AssemblyFacts(image.GetMetadataReader(), image);
    }

    private static string Describe(MetadataReader metadata, MemberReference member)
    {
        string owner = member.Parent.Kind switch
        {
            HandleKind.TypeReference => Describe(metadata, (TypeReferenceHandle)member.Parent),
            HandleKind.TypeSpecification => metadata.GetTypeSpecification((TypeSpecificationHandle)member.Parent)
                .DecodeSignature(TypeNames.Instance, null),
            _ => "?",
        };
        string parameters = member.GetKind() == MemberReferenceKind.Method
            ? "(" + string.Join(", ", member.DecodeMethodSignature(TypeNames.Instance, null).ParameterTypes) + ")"
            : "";
        return $"{owner}::{metadata.GetString(member.Name)}{parameters}";
    }

    private static string Describe(MetadataReader metadata, TypeReferenceHandle handle) =>
        TypeNames.Instance.GetTypeFromReference(metadata, handle, 0);
}
