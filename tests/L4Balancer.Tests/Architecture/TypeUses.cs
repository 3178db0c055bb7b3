using System.Collections.Immutable;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace L4Balancer.Tests.Architecture;

/// <summary>
/// Which namespace uses which, from everything that names a type: bases, interfaces, constraints, attributes, the signatures of
/// fields and methods, local variables, caught exceptions, and every token in the IL. A constant leaves no trace in IL, so it makes no use.
/// </summary>
internal static class TypeUses
{
    private static readonly Dictionary<int, OpCode> OpCodesByValue = typeof(OpCodes).GetFields()
        .Select(f => f.GetValue(null)).OfType<OpCode>().ToDictionary(o => (int)(ushort)o.Value);

    public static ImmutableArray<NamespaceUse> Read(MetadataReader metadata, PEReader image)
    {
        var uses = new Dictionary<(string, string), NamespaceUse>();
        foreach (TypeDefinitionHandle handle in metadata.TypeDefinitions)
        {
            string from = NamespaceOf(metadata, handle);
            if (!from.StartsWith("L4Balancer", StringComparison.Ordinal))
                continue;
            foreach (TypeDefinitionHandle used in UsedBy(metadata, image, metadata.GetTypeDefinition(handle)))
            {
                string to = NamespaceOf(metadata, used);
                if (to != from && to.StartsWith("L4Balancer", StringComparison.Ordinal))
                    uses.TryAdd((from, to), new NamespaceUse(from, to, $"{NameOf(metadata, handle)} uses {NameOf(metadata, used)}"));
            }
        }

        return [.. uses.Values];
    }

    /// <summary>Of the outermost type, because a nested one has none of its own. Empty for the global namespace.</summary>
    public static string NamespaceOf(MetadataReader metadata, TypeDefinitionHandle handle) =>
        metadata.GetString(metadata.GetTypeDefinition(Outermost(metadata, handle)).Namespace);

    public static string AttributeName(MetadataReader metadata, CustomAttributeHandle handle)
    {
        EntityHandle constructor = metadata.GetCustomAttribute(handle).Constructor;
        return constructor.Kind == HandleKind.MemberReference
            && metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent is { Kind: HandleKind.TypeReference } type
            ? TypeNames.Instance.GetTypeFromReference(metadata, (TypeReferenceHandle)type, 0)
            : "";
    }

    private static TypeDefinitionHandle Outermost(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        while (metadata.GetTypeDefinition(handle).GetDeclaringType() is { IsNil: false } outer)
            handle = outer;
        return handle;
    }

    private static string NameOf(MetadataReader metadata, TypeDefinitionHandle handle) =>
        metadata.GetString(metadata.GetTypeDefinition(Outermost(metadata, handle)).Name);

    private static HashSet<TypeDefinitionHandle> UsedBy(MetadataReader metadata, PEReader image, TypeDefinition type)
    {
        var collector = new DefinitionCollector();
        Add(metadata, collector, type.BaseType);
        foreach (InterfaceImplementationHandle h in type.GetInterfaceImplementations())
            Add(metadata, collector, metadata.GetInterfaceImplementation(h).Interface);
        AddConstraints(metadata, collector, type.GetGenericParameters());
        AddAttributes(metadata, collector, type.GetCustomAttributes());
        foreach (FieldDefinitionHandle h in type.GetFields())
        {
            FieldDefinition field = metadata.GetFieldDefinition(h);
            field.DecodeSignature(collector, null);
            AddAttributes(metadata, collector, field.GetCustomAttributes());
        }

        foreach (MethodDefinitionHandle h in type.GetMethods())
        {
            MethodDefinition method = metadata.GetMethodDefinition(h);
            method.DecodeSignature(collector, null);
            AddConstraints(metadata, collector, method.GetGenericParameters());
            AddAttributes(metadata, collector, method.GetCustomAttributes());
            if (method.RelativeVirtualAddress != 0)
                AddBody(metadata, collector, image.GetMethodBody(method.RelativeVirtualAddress));
        }

        return collector.Found;
    }

    private static void AddConstraints(MetadataReader metadata, DefinitionCollector collector, GenericParameterHandleCollection parameters)
    {
        foreach (GenericParameterHandle parameter in parameters)
        {
            foreach (GenericParameterConstraintHandle h in metadata.GetGenericParameter(parameter).GetConstraints())
                Add(metadata, collector, metadata.GetGenericParameterConstraint(h).Type);
        }
    }

    private static void AddAttributes(MetadataReader metadata, DefinitionCollector collector, CustomAttributeHandleCollection attributes)
    {
        foreach (CustomAttributeHandle h in attributes)
            Add(metadata, collector, metadata.GetCustomAttribute(h).Constructor);
    }

    private static void AddBody(MetadataReader metadata, DefinitionCollector collector, MethodBodyBlock body)
    {
        if (!body.LocalSignature.IsNil)
            metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(collector, null);
        foreach (ExceptionRegion region in body.ExceptionRegions.Where(r => r.Kind == ExceptionRegionKind.Catch))
            Add(metadata, collector, region.CatchType);

        BlobReader il = body.GetILReader();
        while (il.RemainingBytes > 0)
        {
            int value = il.ReadByte();
            OpCode code = OpCodesByValue[value == 0xFE ? 0xFE00 | il.ReadByte() : value];
            switch (code.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    Add(metadata, collector, (EntityHandle)MetadataTokens.Handle(il.ReadInt32()));
                    break;
                case OperandType.InlineSwitch:
                    int targets = il.ReadInt32();
                    il.Offset += 4 * targets;
                    break;
                default:
                    il.Offset += SizeOf(code.OperandType);
                    break;
            }
        }
    }

    private static int SizeOf(OperandType operand) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };

    private static void Add(MetadataReader metadata, DefinitionCollector collector, EntityHandle handle)
    {
        if (handle.IsNil)
            return;
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition:
                collector.Found.Add((TypeDefinitionHandle)handle);
                break;
            case HandleKind.TypeSpecification:
                metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(collector, null);
                break;
            case HandleKind.MethodDefinition:
                collector.Found.Add(metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType());
                break;
            case HandleKind.FieldDefinition:
                collector.Found.Add(metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType());
                break;
            case HandleKind.MemberReference:
                Add(metadata, collector, metadata.GetMemberReference((MemberReferenceHandle)handle).Parent);
                break;
            case HandleKind.MethodSpecification:
                MethodSpecification method = metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Add(metadata, collector, method.Method);
                method.DecodeSignature(collector, null);
                break;
        }
    }
}
