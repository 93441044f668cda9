"""Every released schema, by its digest. Written by tools/pin_schema.py."""

APPLICATION_ID = 1096107597

# digest of the schema: (user_version, {(type, name): SHA3-256 of the object's sql})
RELEASED: dict[str, tuple[int, dict[tuple[str, str], str]]] = {
    "3cace8f0aaecf37424cba2d9762b6866938b55b40d03bbe83e03226ae7f24ed0": (
        1,
        {
            (
                "index",
                "entry_action",
            ): "37f27f53ffadcd3341599ccbdb7e8fd15a784867ad3d8ba20442bf12fd995510",
            (
                "index",
                "entry_actor",
            ): "58533f06f2be082e2d681c63d025c6ed6e9e5926786c9325198cbc5d1421cdd2",
            (
                "index",
                "entry_record",
            ): "b9edae4a7924b3320f20d058ef545cffeb43c68089076b1a46a04eefa884630a",
            (
                "index",
                "entry_target",
            ): "5695f14b36cccf6e6dc937dbca8fcb88b8ca57ac5be96b7bd94a3f6151520e05",
            (
                "index",
                "entry_time",
            ): "c6583c81ad426a1d98c922acd1def355ace70083e18df788b8fa8cbef4f92708",
            (
                "index",
                "entry_trace",
            ): "4c9e98f13f0f304fd711dec4bbc8abf25e2c8a16a354b999668f7d2eb1394b14",
            ("table", "entry"): "6786601b00aa771b08bd5eb9e80190d7e245c76b5888e7161156aa9d4df6e16d",
            ("table", "head"): "7b353337e6d5a5ffd3d397f28fbc7ac47784c581a53b0dd494b20d5f240e228a",
            ("table", "node"): "1b04046bbac2ef10a56d260ce078f529c3a307ae622da9054832a25dc8a33a18",
            (
                "trigger",
                "entry_delete",
            ): "6e6aed340c7f20c6a279c427b7a987f56655c2c3545c08e15696d0aef4f9e778",
            (
                "trigger",
                "entry_insert",
            ): "256d269d5c0878ded84d343ef0b7258c0e5029a1380ee766cec46e815276daee",
            (
                "trigger",
                "entry_update",
            ): "e696fa550337588ae4fbccb93cee04d931e165a5f03ba4f95898a593aa756de9",
            (
                "trigger",
                "head_delete",
            ): "43a5b688b3bb4d4ea91384a30c3d395c56f62c18ec4f18c6bc091b162598a60c",
            (
                "trigger",
                "head_insert",
            ): "630d99530162ba436df92adba49e601ef59175d8dc2043eb15ebd432de6958b4",
            (
                "trigger",
                "head_update",
            ): "5d23ffbb8e03c47651f1e7125fe920b71ff84fab736f3d594bcf565adfd56b4f",
            (
                "trigger",
                "node_delete",
            ): "6b09ac9b3647f2c73af039a3b4f51f72a22f254e71524cd2bde0ccd6de516375",
            (
                "trigger",
                "node_insert",
            ): "ed7337167a4a58c6add825cd2e319c0d1a34a6c53e0f5accda076bdf1e4c5d3c",
            (
                "trigger",
                "node_update",
            ): "8eb65c7a547df00463c16a216dfa6bf636adb91763e25e47dc2d0784915215f2",
            (
                "view",
                "audit_logs",
            ): "2057ab8848b7847d9e2e17bf7b168452c951e7eee0a8c0d69a6c9f5ec0535037",
            (
                "view",
                "audit_records",
            ): "daf9b9ec27583f81415c7314f163efd935279d853475b161f9512787b6824b47",
            (
                "view",
                "audit_records_all",
            ): "2e305a5089339b0f40a3b58ca4556d06381300b2e0bd0596ce1eb23bf3074fb8",
            (
                "view",
                "audit_spans",
            ): "8751a7105d0b86ecfd0660239f562e1a115bc70af1568260df33ba85406478c5",
            (
                "view",
                "ledger_events",
            ): "87b98f601c8fee647ac18d6287306b2bd16daf30f9bd54b4732aff0a3816f214",
        },
    ),
    "8d81019cf581150b44beb3bd7c20ba4e22bfbae54883459ae980a491a9e433e3": (
        1,
        {
            (
                "index",
                "entry_action",
            ): "37f27f53ffadcd3341599ccbdb7e8fd15a784867ad3d8ba20442bf12fd995510",
            (
                "index",
                "entry_actor",
            ): "58533f06f2be082e2d681c63d025c6ed6e9e5926786c9325198cbc5d1421cdd2",
            (
                "index",
                "entry_record",
            ): "b9edae4a7924b3320f20d058ef545cffeb43c68089076b1a46a04eefa884630a",
            (
                "index",
                "entry_target",
            ): "5695f14b36cccf6e6dc937dbca8fcb88b8ca57ac5be96b7bd94a3f6151520e05",
            (
                "index",
                "entry_time",
            ): "c6583c81ad426a1d98c922acd1def355ace70083e18df788b8fa8cbef4f92708",
            (
                "index",
                "entry_trace",
            ): "4c9e98f13f0f304fd711dec4bbc8abf25e2c8a16a354b999668f7d2eb1394b14",
            (
                "table",
                "anchored",
            ): "dd6079245157395448f2d9ebf7a22242e044305dba70c5f10108a7e4ff65573a",
            (
                "table",
                "checkpoint",
            ): "b4ec7c1322c697c32da836c371e0f5d0d55a054a8347b89a53ad5aecb816f426",
            ("table", "entry"): "6786601b00aa771b08bd5eb9e80190d7e245c76b5888e7161156aa9d4df6e16d",
            ("table", "head"): "7b353337e6d5a5ffd3d397f28fbc7ac47784c581a53b0dd494b20d5f240e228a",
            ("table", "node"): "1b04046bbac2ef10a56d260ce078f529c3a307ae622da9054832a25dc8a33a18",
            (
                "trigger",
                "anchored_delete",
            ): "5d7ea1ffb4b577856b47c6f1c3558bc78a97e8f90abfd81c7ff895091a4880f5",
            (
                "trigger",
                "anchored_insert",
            ): "e726f0e88127635104d9edbe5915c46e8d0f65fdc7a289c287e83495de4c4238",
            (
                "trigger",
                "anchored_update",
            ): "7b8af15e06ed53b041cec97e6cce448a2746e028acf09580fdcf1922285b81b9",
            (
                "trigger",
                "checkpoint_delete",
            ): "3d2c9cdfc08aae72d58d1994d8e5331055dd29c56d8850bf0f7d53730c99ed36",
            (
                "trigger",
                "checkpoint_insert",
            ): "157e126c60ea9c7673b25a51cffb81e0a11c206ddc29a274aee3fa95d4583471",
            (
                "trigger",
                "checkpoint_update",
            ): "34ebb78660f6f05a5bfa78f87453a38382a6aa7f22f80511167852b7aaf25256",
            (
                "trigger",
                "entry_delete",
            ): "6e6aed340c7f20c6a279c427b7a987f56655c2c3545c08e15696d0aef4f9e778",
            (
                "trigger",
                "entry_insert",
            ): "256d269d5c0878ded84d343ef0b7258c0e5029a1380ee766cec46e815276daee",
            (
                "trigger",
                "entry_update",
            ): "e696fa550337588ae4fbccb93cee04d931e165a5f03ba4f95898a593aa756de9",
            (
                "trigger",
                "head_delete",
            ): "43a5b688b3bb4d4ea91384a30c3d395c56f62c18ec4f18c6bc091b162598a60c",
            (
                "trigger",
                "head_insert",
            ): "630d99530162ba436df92adba49e601ef59175d8dc2043eb15ebd432de6958b4",
            (
                "trigger",
                "head_update",
            ): "5d23ffbb8e03c47651f1e7125fe920b71ff84fab736f3d594bcf565adfd56b4f",
            (
                "trigger",
                "node_delete",
            ): "6b09ac9b3647f2c73af039a3b4f51f72a22f254e71524cd2bde0ccd6de516375",
            (
                "trigger",
                "node_insert",
            ): "ed7337167a4a58c6add825cd2e319c0d1a34a6c53e0f5accda076bdf1e4c5d3c",
            (
                "trigger",
                "node_update",
            ): "8eb65c7a547df00463c16a216dfa6bf636adb91763e25e47dc2d0784915215f2",
            (
                "view",
                "audit_logs",
            ): "2057ab8848b7847d9e2e17bf7b168452c951e7eee0a8c0d69a6c9f5ec0535037",
            (
                "view",
                "audit_records",
            ): "daf9b9ec27583f81415c7314f163efd935279d853475b161f9512787b6824b47",
            (
                "view",
                "audit_records_all",
            ): "2e305a5089339b0f40a3b58ca4556d06381300b2e0bd0596ce1eb23bf3074fb8",
            (
                "view",
                "audit_spans",
            ): "8751a7105d0b86ecfd0660239f562e1a115bc70af1568260df33ba85406478c5",
            (
                "view",
                "ledger_events",
            ): "87b98f601c8fee647ac18d6287306b2bd16daf30f9bd54b4732aff0a3816f214",
        },
    ),
}
