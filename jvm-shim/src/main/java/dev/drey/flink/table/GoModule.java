package dev.drey.flink.table;

import dev.drey.flink.udf.manifest.InstalledFunction;
import dev.drey.flink.udf.manifest.InstalledFunctions;
import dev.drey.flink.udf.manifest.ManifestException;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.functions.FunctionDefinition;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.module.Module;

/**
 * All Go functions of the jars that {@code go-udf-builder} made, wherever a class loader sees them:
 * in {@code lib/}, in the job's jar, or after {@code ADD JAR}. Names are found whatever their case,
 * as those of Flink's own functions are.
 *
 * <p>A name that Flink's core module has too means Flink's function, unless {@code USE MODULES go,
 * core} puts this one first.
 *
 * <p>What is there is looked up once, when the module is loaded; after another {@code ADD JAR} it
 * is to be unloaded and loaded again. Immutable. Only manifests are read: no Go runs in the
 * planner.
 */
public final class GoModule implements Module {
    private final ClassLoader loader;
    private final InstalledFunctions functions;

    /**
     * The functions that a class loader sees.
     *
     * @throws ValidationException there is none; or two have the same name, which the message names
     *     with their jars
     */
    public GoModule(ClassLoader loader) {
        this.loader = loader;
        try {
            this.functions = InstalledFunctions.of(loader);
        } catch (ManifestException e) {
            throw new ValidationException(e.getMessage(), e);
        }
    }

    @Override
    public Set<String> listFunctions() {
        return functions.names();
    }

    @Override
    public Optional<FunctionDefinition> getFunctionDefinition(String name) {
        return functions.find(name).map(this::instance);
    }

    private FunctionDefinition instance(InstalledFunction function) {
        String className = function.manifest().className();
        try {
            return Class.forName(className, true, loader)
                    .asSubclass(UserDefinedFunction.class)
                    .getConstructor()
                    .newInstance();
        } catch (ReflectiveOperationException | LinkageError | ClassCastException e) {
            throw new ValidationException(
                    "Go function "
                            + function.manifest().name()
                            + ": class "
                            + className
                            + " of "
                            + function.jar()
                            + " cannot be used: "
                            + e
                            + "; build the jar again with the go-udf-builder of its Drey version",
                    e);
        }
    }
}
