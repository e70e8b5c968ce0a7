import dev.drey.flink.udf.GoAccumulator;
import dev.drey.flink.udf.Recorder;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Loads each class named on the command line, calls each of its methods, and prints what the base class was asked. */
public final class Probe {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            Class<?> type = Class.forName(name);
            System.out.println(type);
            Recorder.NOTES.setLength(0);
            Object function = type.getConstructor().newInstance();
            System.out.println("  " + Recorder.NOTES);
            Method[] methods = type.getDeclaredMethods();
            Arrays.sort(methods, Comparator.comparing(Method::getName));
            for (Method method : methods) {
                System.out.println("  " + method);
                Object[] arguments = new Object[method.getParameterCount()];
                for (int i = 0; i < arguments.length; i++) {
                    arguments[i] = value(method.getParameterTypes()[i], i);
                }
                Class<?> result = method.getReturnType();
                Recorder.answer = result == void.class ? null : value(result, 1);
                Recorder.fixedAnswer =
                        result == double.class
                                ? Double.doubleToRawLongBits(-2.5)
                                : result == float.class ? Float.floatToRawIntBits(-2.5f) & 0xffffffffL : -2;
                Recorder.NOTES.setLength(0);
                Object returned = method.invoke(function, arguments);
                System.out.println("    " + Recorder.NOTES + (result == void.class ? "" : " -> " + text(returned)));
            }
        }
    }

    private static String text(Object value) {
        return value instanceof byte[] ? "byte[" + ((byte[]) value).length + "]" : String.valueOf(value);
    }

    /** A value of the type; those of odd positions are negative, so that signs show. */
    private static Object value(Class<?> type, int i) {
        int n = i % 2 == 0 ? i + 1 : -i - 1;
        if (type == boolean.class || type == Boolean.class) {
            return i % 2 == 0;
        } else if (type == byte.class || type == Byte.class) {
            return (byte) n;
        } else if (type == short.class || type == Short.class) {
            return (short) n;
        } else if (type == int.class || type == Integer.class) {
            return n;
        } else if (type == long.class || type == Long.class) {
            return (long) n;
        } else if (type == float.class || type == Float.class) {
            return n + 0.5f;
        } else if (type == double.class || type == Double.class) {
            return n + 0.5;
        } else if (type == byte[].class) {
            return new byte[i + 1];
        } else if (type == GoAccumulator.class) {
            return new GoAccumulator();
        } else if (type == Iterable.class) {
            return List.of();
        }
        return Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> method.getName().equals("toString") ? type.getSimpleName() : null);
    }
}
