//! No word about a display where there is none.

/// Variables by which a display is found, or with which somebody has spoken to Mesa already.
#[cfg(target_os = "linux")]
const SPOKEN: [&str; 4] = ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "NODEVICE_SELECT", "MESA_VK_DEVICE_SELECT"];

/// Mesa's Vulkan asks a display in which order to list adapters, and prints an error where there is none, as on most servers.
/// There it is told not to ask: adapters are ordered by what they can do.
///
/// # Safety
/// No other thread may run yet: it could be reading the environment.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "to set a variable has no safe form")]
pub unsafe fn ask_for_none() {
    if SPOKEN.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Elsewhere nobody asks.
///
/// # Safety
/// None is needed.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "as on Linux")]
pub unsafe fn ask_for_none() {}
