//! No word about a display where there is none.

/// Variables by which a display is found, or with which somebody has told Mesa's layer what to do.
const SPOKEN: [&str; 7] = [
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "NODEVICE_SELECT",
    "DRI_PRIME",
    "MESA_VK_DEVICE_SELECT",
    "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE",
];

/// Mesa's Vulkan asks a display in which order to list adapters, and prints an error where there is none, as on most servers.
/// There it is told not to ask: adapters are ordered by what they can do.
///
/// # Safety
/// No other thread may run yet: it could be reading the environment.
#[expect(unsafe_code, reason = "to set a variable has no safe form")]
pub unsafe fn ask_for_none() {
    let unspoken = || SPOKEN.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()));
    if cfg!(target_os = "linux") && unspoken() {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
