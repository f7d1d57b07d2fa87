//! Usages of a dialog besides its call (RFC 5057): the subscription that a REFER makes (RFC 3515 §2.4.4). They keep the
//! dialog after the BYE, for NOTIFYs both ways; nothing else is served in it then.

use super::{ActError, DialogId, Endpoint};
use crate::dialog::{Pending, State};

impl Endpoint {
    /// Keeps a dialog beyond the end of its call. Every call has to be followed by [`Self::end_usage`] at last, when the
    /// subscription is over or has been silent for too long: the endpoint itself sets no limit.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over, [`ActError::Full`] if it has too many usages.
    pub fn begin_usage(&mut self, dialog: DialogId) -> Result<(), ActError> {
        let known = self.dialogs.get_mut(dialog).ok_or(ActError::Gone)?;
        known.usages = known.usages.checked_add(1).ok_or(ActError::Full)?;
        Ok(())
    }

    /// Ends what [`Self::begin_usage`] began; with the last one a dialog goes whose call is over. Harmless if it is gone.
    pub fn end_usage(&mut self, dialog: DialogId) {
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        known.usages = known.usages.saturating_sub(1);
        if known.usages == 0 && known.state == State::Lingering {
            self.end_dialog(dialog);
        }
    }

    /// Whether the dialog stays for its other usages although its call is over.
    pub(super) fn lingers(&mut self, dialog: DialogId) -> bool {
        let Some(known) = self.dialogs.get_mut(dialog).filter(|dialog| dialog.usages > 0) else {
            return false;
        };
        known.state = State::Lingering;
        known.pending = Pending::default();
        true
    }
}
