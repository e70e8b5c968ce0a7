package org.apache.flink.table.data;

public interface RowData {}
