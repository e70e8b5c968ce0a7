package dev.drey.flink.table;

import java.util.Collections;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.factories.ModuleFactory;
import org.apache.flink.table.module.Module;

/** Makes {@code LOAD MODULE go} load {@link GoModule}. It has no options. */
public final class GoModuleFactory implements ModuleFactory {
    /** The module's name in SQL. */
    public static final String IDENTIFIER = "go";

    /** Called by Flink, which finds the class as a service. */
    public GoModuleFactory() {}

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Collections.emptySet();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Collections.emptySet();
    }

    @Override
    public Module createModule(Context context) {
        return new GoModule(context.getClassLoader());
    }
}
