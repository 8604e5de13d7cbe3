pub fn service_of() {}
