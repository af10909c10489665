"""A Hugging Face directory as a policy: asked, sampled, scored, trained, saved.

Only here and in `policy.sft` is transformers imported.
"""
