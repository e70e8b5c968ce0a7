/** Go functions in SQL: the module {@code go}. */
package dev.drey.flink.table;
