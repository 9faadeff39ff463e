namespace OciRuntime.Cli;

/// <summary>The commands of this program, in the order the help lists them. A new command is a new options class and one line here.</summary>
public static class Verbs
{
    public static VerbDefinition[] All { get; } =
    [
        VerbDefinition.Of<CreateOptions>("create"),
        VerbDefinition.Of<StartOptions>("start"),
        VerbDefinition.Of<RunOptions>("run"),
        VerbDefinition.Of<ExecOptions>("exec"),
        VerbDefinition.Of<StateOptions>("state"),
        VerbDefinition.Of<ListOptions>("list"),
        VerbDefinition.Of<KillOptions>("kill"),
        VerbDefinition.Of<DeleteOptions>("delete"),
        VerbDefinition.Of<PauseOptions>("pause"),
        VerbDefinition.Of<ResumeOptions>("resume"),
        VerbDefinition.Of<PsOptions>("ps"),
        VerbDefinition.Of<UpdateOptions>("update"),
        VerbDefinition.Of<EventsOptions>("events"),
        VerbDefinition.Of<TopOptions>("top"),
        VerbDefinition.Of<MountsOptions>("mounts"),
        VerbDefinition.Of<CheckpointOptions>("checkpoint"),
        VerbDefinition.Of<RestoreOptions>("restore"),
        VerbDefinition.Of<SpecOptions>("spec"),
        VerbDefinition.Of<ExplainOptions>("explain"),
        VerbDefinition.Of<FeaturesOptions>("features"),
        VerbDefinition.Of<SetupOptions>("setup"),
        VerbDefinition.Of<HelpOptions>("help"),
        VerbDefinition.Of<ManOptions>("man"),
        VerbDefinition.Of<CompletionOptions>("completion"),
    ];

    public static VerbDefinition? Find(string name)
    {
        foreach (VerbDefinition verb in All)
        {
            if (verb.Name == name)
            {
                return verb;
            }
        }

        return null;
    }
}
