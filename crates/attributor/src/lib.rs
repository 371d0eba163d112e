//! Part of OpenLedger.
