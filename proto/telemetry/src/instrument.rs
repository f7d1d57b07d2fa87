//! From a row of the catalogue to an OpenTelemetry instrument; the only place that names the builders.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

use crate::catalogue::{Instrument, Shape};

/// Builds the counter of a row.
pub(crate) fn counter(meter: &Meter, row: &Instrument) -> Counter<u64> {
    debug_assert_eq!(row.shape, Shape::Counter, "{} is no counter", row.name);
    meter.u64_counter(row.name).with_unit(row.unit).with_description(row.description).build()
}

/// Builds the up-down counter of a row.
pub(crate) fn up_down(meter: &Meter, row: &Instrument) -> UpDownCounter<i64> {
    debug_assert_eq!(row.shape, Shape::UpDown, "{} is no up-down counter", row.name);
    meter.i64_up_down_counter(row.name).with_unit(row.unit).with_description(row.description).build()
}

/// Builds the integer gauge of a row.
pub(crate) fn gauge(meter: &Meter, row: &Instrument) -> Gauge<u64> {
    debug_assert_eq!(row.shape, Shape::Gauge, "{} is no gauge", row.name);
    meter.u64_gauge(row.name).with_unit(row.unit).with_description(row.description).build()
}

/// Builds the fractional gauge of a row.
pub(crate) fn gauge_f64(meter: &Meter, row: &Instrument) -> Gauge<f64> {
    debug_assert_eq!(row.shape, Shape::Gauge, "{} is no gauge", row.name);
    meter.f64_gauge(row.name).with_unit(row.unit).with_description(row.description).build()
}

/// Builds the histogram of a row, with the catalogue's buckets.
pub(crate) fn histogram(meter: &Meter, row: &Instrument) -> Histogram<f64> {
    let limits = match row.shape {
        Shape::Histogram(limits) => limits,
        Shape::Counter | Shape::UpDown | Shape::Gauge => &[],
    };
    debug_assert!(!limits.is_empty(), "{} is no histogram", row.name);
    meter
        .f64_histogram(row.name)
        .with_unit(row.unit)
        .with_description(row.description)
        .with_boundaries(limits.to_vec())
        .build()
}
